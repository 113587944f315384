"""Extremes of several tensors become operators that quantize; the sums are tested with the functions they may end in."""

from pathlib import Path

import onnx
import pytest

from tests.compiler.float_models import float_model, operators, prepared, samples
from tests.compiler.qdq_models import QdqModel, compare
from tests.compiler.test_prepare_functions import conv

IMAGE = (1, 4, 6, 5)


def _model(op: str, count: int) -> onnx.ModelProto:
    return float_model(IMAGE, lambda m, x: m.node(op, [conv(m, x) for _ in range(count)]))


@pytest.mark.parametrize(("op", "last"), [("Max", "Add"), ("Min", "Sub")])
@pytest.mark.parametrize("count", [2, 3])
def test_extremes(op: str, last: str, count: int) -> None:
    assert operators(prepared(_model(op, count))) == ["Conv"] * count + ["Sub", "Relu", last] * (count - 1)


@pytest.mark.parametrize("op", ["Max", "Min"])
def test_extremes_run_on_the_accelerator(tmp_path: Path, op: str) -> None:
    model = _model(op, 2)
    onnx.save(model, tmp_path / "model.onnx")
    result = compare(tmp_path / "model.onnx", calibrate={"x": samples(model, 16)})
    assert not result.graph.host and not [row.node for row in result.node_placement if row.placement == "host"]


def test_extremes_of_vectors_and_of_other_shapes_are_left() -> None:
    def vectors(model: QdqModel, x: str) -> str:
        return model.node("Max", [model.node("Flatten", [conv(model, x)]) for _ in range(2)])

    def broadcast(model: QdqModel, x: str) -> str:
        return model.node("Max", [conv(model, x), model.node("GlobalMaxPool", [conv(model, x)])])

    for build in (vectors, broadcast):
        assert operators(prepared(float_model(IMAGE, build)))[-1] == "Max"
