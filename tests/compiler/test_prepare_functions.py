"""Functions spelled out as several nodes, clamps, PRelu, what is quantized, and old operator sets."""

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pytest

from talos.compiler.prepare import prepare_float
from talos.compiler.prepare.functions import restore_functions
from talos.errors import TalosError
from tests.compiler.float_models import batch_norm, constants, float_model, operators, prepared, scalar
from tests.compiler.qdq_models import QdqModel

IMAGE = (1, 4, 6, 5)


def conv(model: QdqModel, x: str, outputs: int = 6, inputs: int = 4) -> str:
    """A 3×3 convolution that keeps the size."""
    return model.node("Conv", [x, constants(model, outputs, inputs, 3, 3)], pads=[1, 1, 1, 1])


def silu(model: QdqModel, x: str) -> str:
    """x · σ(x)"""
    return model.node("Mul", [x, model.node("Sigmoid", [x])])


def gelu(model: QdqModel, x: str) -> str:
    """x · ½ (1 + erf(x / √2))"""
    inner = model.node("Add", [model.node("Erf", [model.node("Div", [x, scalar(model, 2**0.5)])]), scalar(model, 1)])
    return model.node("Mul", [model.node("Mul", [x, inner]), scalar(model, 0.5)])


def tanh_gelu(model: QdqModel, x: str) -> str:
    """½ x (1 + tanh(√(2/π) (x + 0.044715 x³)))"""
    cube = model.node("Mul", [model.node("Pow", [x, scalar(model, 3)]), scalar(model, 0.044715)])
    inner = model.node("Tanh", [model.node("Mul", [model.node("Add", [x, cube]), scalar(model, (2 / np.pi) ** 0.5)])])
    return model.node("Mul", [model.node("Mul", [x, scalar(model, 0.5)]), model.node("Add", [inner, scalar(model, 1)])])


def hard_swish(model: QdqModel, x: str) -> str:
    """x · clip(x + 3, 0, 6) / 6"""
    gate = model.node("Clip", [model.node("Add", [x, scalar(model, 3)]), scalar(model, 0), scalar(model, 6)])
    return model.node("Div", [model.node("Mul", [x, gate]), scalar(model, 6)])


def mish(model: QdqModel, x: str) -> str:
    """x · tanh(softplus(x))"""
    return model.node("Mul", [x, model.node("Tanh", [model.node("Softplus", [x])])])


@pytest.mark.parametrize("function", [silu, gelu, tanh_gelu, hard_swish, mish])
def test_a_function_is_one_node(function: Callable[[QdqModel, str], str]) -> None:
    model = float_model(IMAGE, lambda m, x: conv(m, function(m, conv(m, x)), 3, 6))
    result = prepared(model)
    assert operators(result) == ["Conv", "function_0", "Conv"]
    assert result.quantized == {node.name for node in model.graph.node}


def test_restored_functions_bear_their_own_names() -> None:
    model = float_model(IMAGE, lambda m, x: conv(m, mish(m, conv(m, x)), 3, 6))
    result = prepared(model).model
    restore_functions(result)
    onnx.checker.check_model(result, full_check=True)
    names = [node.name for node in result.graph.node if node.op_type not in ("Identity", "Constant")]
    assert names == [node.name for node in model.graph.node]


def test_values_read_outside_are_results_of_the_function() -> None:
    """The gate of a SiLU is read by another layer too."""

    def build(model: QdqModel, x: str) -> str:
        y = conv(model, x)
        gate = model.node("Sigmoid", [y])
        return model.node("Concat", [conv(model, model.node("Mul", [y, gate]), 6, 6), gate], axis=1)

    result = prepared(float_model(IMAGE, build))
    (call,) = (node for node in result.model.graph.node if node.op_type == "function_0")
    assert len(call.output) == 2


def test_a_function_begins_behind_a_clamp() -> None:
    result = operators(prepared(float_model(IMAGE, lambda m, x: silu(m, m.node("Relu", [conv(m, x)])))))
    assert result == ["Conv", "Relu", "function_0"]


def test_two_tensors_are_no_function() -> None:
    result = operators(prepared(float_model(IMAGE, lambda m, x: m.node("Mul", [conv(m, x), m.node("Sigmoid", [conv(m, x)])]))))
    assert result == ["Conv", "Conv", "Sigmoid", "Mul"]


def test_an_excluded_node_is_in_no_function() -> None:
    model = float_model(IMAGE, lambda m, x: silu(m, conv(m, x)))
    assert operators(prepared(model, ("sigmoid_1",))) == ["Conv", "Sigmoid", "Mul"]


@pytest.mark.parametrize(("slopes", "want"), [((6, 1, 1), ["Conv", "Clip", "Conv", "Add"]), ((1,), ["Conv", "LeakyRelu"])])
def test_prelu(slopes: tuple[int, ...], want: list[str]) -> None:
    model = float_model(IMAGE, lambda m, x: m.node("PRelu", [conv(m, x), constants(m, *slopes)]))
    assert operators(prepared(model)) == want


@pytest.mark.parametrize(
    ("op", "inputs", "attributes"),
    [
        ("MaxPool", [], {"kernel_shape": [2, 2]}),
        ("Transpose", [], {"perm": [0, 2, 3, 1]}),
        ("Slice", [[1], [4], [2]], {}),
        ("DepthToSpace", [], {"blocksize": 2}),
        ("Pad", [[0, 0, 1, 1, 0, 0, 1, 1]], {"mode": "edge"}),
    ],
)
def test_clamps_move_to_the_layer_they_bound(op: str, inputs: list[list[int]], attributes: dict[str, Any]) -> None:
    def build(model: QdqModel, x: str) -> str:
        moved = model.node(op, [conv(model, x, 4), *(model.constant(np.array(values)) for values in inputs)], **attributes)
        return model.node("Clip", [model.node("Relu", [moved]), "", scalar(model, 0.75)])

    result = prepared(float_model(IMAGE, build))
    assert operators(result) == ["Conv", "Relu", "Clip", op]


def test_clamps_stay_behind_other_nodes() -> None:
    model = float_model(
        IMAGE, lambda m, x: m.node("Relu", [m.node("Pad", [conv(m, x), m.constant(np.array([0, 0, 1, 1, 0, 0, 1, 1]))])])
    )
    assert operators(prepared(model)) == ["Conv", "Pad", "Relu"]


@pytest.mark.parametrize(("op", "number", "want"), [("Max", 0.0, "Relu"), ("Max", -0.5, "Clip"), ("Min", 0.5, "Clip")])
def test_maximum_and_minimum_are_clamps(op: str, number: float, want: str) -> None:
    model = float_model(IMAGE, lambda m, x: m.node(op, [scalar(m, number), conv(m, x)]))
    assert operators(prepared(model)) == ["Conv", want]


@pytest.mark.parametrize(("op", "want"), [("Sum", []), ("Mean", ["function_0"])])
def test_sums_of_several(op: str, want: list[str]) -> None:
    model = float_model(IMAGE, lambda m, x: m.node(op, [conv(m, x), constants(m, 6, 1, 1), m.node("Relu", [conv(m, x)])]))
    assert sorted(operators(prepared(model))) == ["Add", "Conv", "Conv", "Relu", *want]


def test_a_float_tail_stays_float() -> None:
    model = float_model(IMAGE, lambda m, x: m.node("Mul", [m.node("Softmax", [conv(m, x)], axis=1), scalar(m, 2)]))
    result = prepared(model)
    assert result.kept_float == {"softmax_1", "mul_2"} and result.quantized == {"conv_0"}


def test_what_leads_to_weights_is_quantized() -> None:
    def build(model: QdqModel, x: str) -> str:
        x = model.node("LpNormalization", [conv(model, x)], axis=1)
        return conv(model, model.node("Concat", [x, x], axis=1), 3, 12)

    result = prepared(float_model(IMAGE, build))
    assert result.kept_float == {"lpnormalization_1"} and "concat_2" in result.quantized


def test_nothing_to_quantize_is_refused() -> None:
    model = float_model(IMAGE, lambda m, x: m.node("Softmax", [x]))
    with pytest.raises(TalosError, match="test: there is nothing to quantize"):
        prepare_float(model, "test")


def test_an_unknown_node_to_exclude_is_refused() -> None:
    model = float_model(IMAGE, conv)
    with pytest.raises(TalosError, match=r"test: there is no node 'conv_1' to exclude; the nearest name is 'conv_0'"):
        prepare_float(model, "test", ("conv_1",))


@pytest.mark.parametrize("opset", [7, 9, 11, 12, 13, 15, 18, 21, 23])
def test_operator_sets(opset: int) -> None:
    def build(model: QdqModel, x: str) -> str:
        x = model.node("Relu", [batch_norm(model, conv(model, x), 6)])
        if opset < 11:
            x = model.node("Clip", [x], min=0.0, max=0.5)
        x = model.node("MaxPool", [x], kernel_shape=[2, 2], strides=[2, 2])
        x = model.node("Flatten", [x])
        x = model.node("Gemm", [x, constants(model, 36, 5), constants(model, 5)])
        return model.node("Softmax", [x], axis=1)

    clip = ["Clip"] if opset < 11 else []
    result = prepared(float_model(IMAGE, build, opset=opset))
    assert operators(result) == ["Conv", "Relu", *clip, "MaxPool", "Flatten", "Gemm", "Softmax"]
    version = next(entry.version for entry in result.model.opset_import if not entry.domain)
    assert version == max(opset, 13)


def test_a_node_that_cannot_be_converted_is_named() -> None:
    model = float_model(IMAGE, lambda m, x: m.node("Hardmax", [conv(m, x)]), opset=11)
    with pytest.raises(TalosError, match=r"node 'hardmax_1' \(Hardmax\) cannot be converted from opset 11 to 13"):
        prepare_float(model, "test")
