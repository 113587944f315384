"""Damaged models are refused in one line, or compiled to programs whose results are onnxruntime's."""

from collections import Counter
from pathlib import Path

import onnx
import pytest

from talos.errors import TalosError
from tests.malformed.fuzz import BASES, damage_bytes, damage_fields
from tests.malformed.run import attempt, compare, refusal, save
from tests.quirks.registry import Network

EACH = 70
PER_TEST = 10


def _outcome(path: Path, network: Network) -> str:
    try:
        compiled = attempt(path, network)
    except TalosError as error:
        refusal(error, path)
        return "refused"
    compare(compiled)
    return "equal"


@pytest.mark.parametrize("first", range(0, EACH, PER_TEST))
@pytest.mark.parametrize("base", BASES)
def test_damaged_bytes(base: str, first: int, tmp_path: Path) -> None:
    network = BASES[base]()
    path = save(network, tmp_path)
    data = path.read_bytes()
    for seed in range(first, first + PER_TEST):
        path.write_bytes(damage_bytes(data, seed))
        try:
            _outcome(path, network)
        except Exception as error:
            raise AssertionError(f"seed {seed} of {base}: {type(error).__name__}: {error}") from error


@pytest.mark.parametrize("first", range(0, EACH, PER_TEST))
@pytest.mark.parametrize("base", BASES)
def test_damaged_fields(base: str, first: int, tmp_path: Path) -> None:
    network = BASES[base]()
    for seed in range(first, first + PER_TEST):
        model = onnx.ModelProto()
        model.CopyFrom(network.model)
        what = damage_fields(model, seed)
        try:
            _outcome(save(model, tmp_path), network)
        except Exception as error:
            raise AssertionError(f"seed {seed} of {base}, {what}: {type(error).__name__}: {error}") from error


def test_both_outcomes_occur(tmp_path: Path) -> None:
    network = BASES["classifier"]()
    found: Counter[str] = Counter()
    for seed in range(40):
        model = onnx.ModelProto()
        model.CopyFrom(network.model)
        damage_fields(model, seed)
        try:
            attempt(save(model, tmp_path), network)
        except TalosError:
            found["refused"] += 1
        else:
            found["compiled"] += 1
    assert found["refused"] >= 5 and found["compiled"] >= 5, found
