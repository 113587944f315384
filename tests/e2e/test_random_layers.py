"""A fixed part of `python -m tests.rtl_random` that runs always: random layers and networks on three small configurations."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from talos.compiler.graph.evaluate import run_graph
from talos.compiler.graph.ir import Graph
from talos.config import AcceleratorConfig
from talos.errors import TalosError
from talos.model.timing.core import simulate
from tests.rtl_random import __main__ as command
from tests.rtl_random import compare
from tests.rtl_random.cases import KINDS, Case, CaseId, make_case
from tests.rtl_random.compare import Bench, Result
from tests.rtl_random.configs import ARRAYS, random_config

SEED = 7
COUNTS = {"conv": 24, "other": 6, "graph": 4}

CONFIGS = [
    AcceleratorConfig(
        rows=4,
        cols=4,
        activation_bytes=4096,
        activation_banks=2,
        accumulator_depth=64,
        weight_fifo_bytes=512,
        parameter_bytes=2048,
        axi_data_width=32,
        lanes=2,
        queue_depth=2,
        max_burst=8,
    ),
    AcceleratorConfig(
        rows=4,
        cols=8,
        activation_bytes=16384,
        accumulator_depth=256,
        weight_fifo_bytes=2048,
        parameter_bytes=2048,
        axi_data_width=64,
    ),
    AcceleratorConfig(
        rows=8,
        cols=4,
        activation_bytes=8192,
        activation_banks=1,
        accumulator_depth=128,
        weight_fifo_bytes=1024,
        parameter_bytes=2048,
        axi_data_width=128,
        queue_depth=4,
        max_burst=4,
        depthwise=False,
    ),
]


@pytest.fixture(scope="module", params=range(len(CONFIGS)), ids=lambda index: CONFIGS[index].name)
def bench(request: pytest.FixtureRequest) -> Iterator[tuple[int, Bench]]:
    """The Verilog of a configuration, built once."""
    with Bench(CONFIGS[request.param]) as made:
        yield request.param, made


def _case(index: int, kind: str, number: int) -> Case:
    return make_case(CaseId(SEED, index, kind, number), CONFIGS[index])


@pytest.mark.parametrize("kind", list(KINDS))
def test_all_executions_agree(bench: tuple[int, Bench], kind: str) -> None:
    index, runner = bench
    different = {}
    for number in range(COUNTS[kind]):
        result = runner.run(_case(index, kind, number))
        if result.differences:
            different[f"{index}:{kind}:{number}"] = result.differences
        else:
            assert result.cycles > 0
            assert result.bytes > 0
            assert result.events > 0
    assert not different


def test_a_wrong_byte_and_a_wrong_cycle_are_found(bench: tuple[int, Bench], monkeypatch: pytest.MonkeyPatch) -> None:
    index, runner = bench
    case = _case(index, "conv", 0)

    def wrong(graph: Graph, inputs: dict[str, npt.NDArray[np.int8]]) -> dict[str, npt.NDArray[np.int8]]:
        values = run_graph(graph, inputs)
        last = graph.outputs[-1].name
        values[last] = values[last].copy()
        values[last][0, 0, 0] ^= 1
        return values

    with monkeypatch.context() as patch:
        patch.setattr(compare, "run_graph", wrong)
        lines = runner.run(case).differences
        assert [line.partition(":")[0] for line in lines] == ["functional model", "Verilog"]
        assert all("1 of" in line and "(0, 0, 0)" in line for line in lines)
    with monkeypatch.context() as patch:
        slower = replace(case.timing, latency=case.timing.latency + 1)
        patch.setattr(compare, "simulate", lambda program, _, bases: simulate(program, slower, bases))
        assert len(runner.run(case).differences) == 1
    assert not runner.run(case).differences


def test_a_program_that_cannot_be_made_is_a_difference(bench: tuple[int, Bench], monkeypatch: pytest.MonkeyPatch) -> None:
    index, runner = bench

    def refuse(graph: Graph, config: AcceleratorConfig) -> None:
        raise TalosError("no")

    with monkeypatch.context() as patch:
        patch.setattr(compare, "schedule", refuse)
        assert runner.run(_case(index, "conv", 0)).differences == ("TalosError: no",)
    assert not runner.run(_case(index, "conv", 1)).differences


def test_cases_are_reproducible() -> None:
    first, second, other = (_case(0, "graph", number) for number in (2, 2, 3))
    assert [layer.name for layer in first.graph.layers] == [layer.name for layer in second.graph.layers]
    assert first.timing == second.timing != other.timing
    for name, image in first.inputs.items():
        np.testing.assert_array_equal(image, second.inputs[name])


def test_random_configurations_cover_all_arrays() -> None:
    configs = [random_config(3, index) for index in range(9)]
    assert {(config.rows, config.cols) for config in configs} == set(ARRAYS)
    assert configs == [random_config(3, index) for index in range(9)]
    assert configs[0] != random_config(4, 0)


@pytest.mark.parametrize("wrong", [0, 2])
def test_command(wrong: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Every case asked for is run once; differences are counted, named and decide the exit status."""
    seen: list[str] = []

    class Fake(Bench):
        def __init__(self, config: AcceleratorConfig) -> None:
            self.config = config

        def __exit__(self, *_: object) -> None:
            pass

        def run(self, case: Case) -> Result:
            seen.append(str(case.id))
            differences = ("bytes differ",) if len(seen) <= wrong else ()
            return Result(differences, 10, 5, 2, case.features)

    monkeypatch.setattr(command, "Bench", Fake)
    status = command.main(["--cases", "5", "--others", "2", "--graphs", "3", "--configs", "2", "--seed", "9"])
    output = capsys.readouterr().out
    assert status == bool(wrong)
    assert len(set(seen)) == len(seen) == 10
    assert sorted({name.split(":")[1] for name in seen}) == ["conv", "graph", "other"]
    assert ("all 10 cases equal" in output) == (not wrong)
    assert output.count("DIFFERENT: python -m tests.rtl_random --seed 9 --case ") == wrong
    assert ("2 of 10 cases DIFFERENT" in output) == bool(wrong)
    seen.clear()
    command.main(["--seed", "9", "--case", "1:graph:2"])
    assert seen == ["1:graph:2"]
