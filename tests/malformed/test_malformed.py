"""Every malformed model is refused in one line that says where and why; the file's folder stays as it was."""

from pathlib import Path

import pytest

from talos.errors import TalosError
from tests.malformed.catalogue import CASES
from tests.malformed.registry import Case, one_layer
from tests.malformed.run import attempt, compare, refusal, save
from tests.quirks.registry import Network

ERRORS = [case for case in CASES.values() if not case.host]
ON_HOST = [case for case in CASES.values() if case.host]


@pytest.mark.parametrize("case", ERRORS, ids=lambda case: case.name)
def test_malformed(case: Case, tmp_path: Path) -> None:
    made = case.build(tmp_path)
    path = save(made, tmp_path)
    with pytest.raises(TalosError) as caught:
        attempt(path, made if isinstance(made, Network) else None)
    message = refusal(caught.value, path)
    for fragment in case.fragments:
        assert fragment in message, message
    assert not case.node or f"'{case.node}'" in message, message


@pytest.mark.parametrize("case", ON_HOST, ids=lambda case: case.name)
def test_on_the_host(case: Case, tmp_path: Path) -> None:
    """Unsupported but well-formed: named as a host node with the reason, results equal; an error where the host is not allowed."""
    made = case.build(tmp_path)
    path = save(made, tmp_path)
    network = made if isinstance(made, Network) else None
    compiled = attempt(path, network)
    reasons = [row.reason for row in compiled.program.placements if row.placement == "host" and row.op == case.host]
    assert reasons and all(fragment in reasons[0] for fragment in case.fragments), compiled.program.placements
    compare(compiled)
    with pytest.raises(TalosError) as caught:
        attempt(path, network, host=False)
    assert f"'{case.node}'" in refusal(caught.value, path), str(caught.value)


@pytest.mark.parametrize("seed", range(20))
def test_truncated(seed: int, tmp_path: Path) -> None:
    data = one_layer()[1].SerializeToString()
    path = tmp_path / "net.onnx"
    path.write_bytes(data[: len(data) * (2 * seed + 1) // 40])
    with pytest.raises(TalosError, match="ONNX"):
        attempt(path)


def test_the_spoiled_model_is_valid_to_begin_with(tmp_path: Path) -> None:
    attempt(save(one_layer()[1], tmp_path))


def test_number_of_cases() -> None:
    assert len(CASES) >= 40
