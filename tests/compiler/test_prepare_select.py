"""Which nodes of a float model are quantized."""

import onnx_ir as ir
import pytest
from onnx import TensorProto, helper

from talos.compiler.prepare.select import select_nodes


def _clip(low: float | None, high: float | None) -> ir.Graph:
    bounds = {name: value for name, value in (("low", low), ("high", high)) if value is not None}
    operands = ["x", "low" if low is not None else "", "high" if high is not None else ""]
    shape = [1, 3, 4, 4]
    graph = helper.make_graph(
        [helper.make_node("Clip", operands, ["y"], name="clip"), helper.make_node("Relu", ["y"], ["z"], name="relu")],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("z", TensorProto.FLOAT, shape)],
        [helper.make_tensor(name, TensorProto.FLOAT, [], [value]) for name, value in bounds.items()],
        value_info=[helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)],
    )
    return ir.from_proto(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)).graph


def test_clip_whose_minimum_is_above_its_maximum() -> None:
    """It is constant, and onnxruntime's quantizer would make another function of it: it stays float, and with it what follows."""
    assert select_nodes(_clip(6, 0)) == ()


@pytest.mark.parametrize(("low", "high"), [(0, 6), (2, 2), (None, 6), (0, None)])
def test_clip(low: float | None, high: float | None) -> None:
    assert select_nodes(_clip(low, high)) == ("clip", "relu")
