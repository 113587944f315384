"""Every bench as a pytest test: `pytest sim`, `pytest sim -k load`."""

import pytest

from sim.benches import BENCHES, Bench, Design
from sim.runner import run

CASES = [(bench, design) for bench in BENCHES.values() for design in bench.designs]


@pytest.mark.parametrize(("bench", "design"), CASES, ids=[f"{bench.name}-{design.name}" for bench, design in CASES])
def test_bench(bench: Bench, design: Design) -> None:
    result = run(bench, design, seed=1)
    assert not result.failures, f"{[f'{f.test}: {f.reason}' for f in result.failures]}; see {result.log}"
    assert result.passed > 0
