"""Float functions of one activation become tables that equal onnxruntime byte for byte, whatever nodes they are written with."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from talos.compiler.frontend import build_graph
from talos.compiler.graph.ir import Conv, Lookup
from talos.errors import TalosError
from tests.compiler.qdq_models import QdqModel, compare

ATTRIBUTES: dict[str, dict[str, Any]] = {
    "Celu": {"alpha": 0.7},
    "Elu": {"alpha": 1.3},
    "Gelu": {"approximate": "tanh"},
    "HardSigmoid": {"alpha": 0.1, "beta": 0.4},
    "LeakyRelu": {"alpha": 0.2},
    "Selu": {"alpha": 1.5, "gamma": 1.1},
    "Shrink": {"lambd": 0.4, "bias": 0.1},
    "Swish": {"alpha": 1.5},
    "ThresholdedRelu": {"alpha": 0.5},
}
UNARY = (
    "Abs", "Atan", "Ceil", "Celu", "Cos", "Elu", "Erf", "Exp", "Floor", "Gelu", "HardSigmoid", "HardSwish", "LeakyRelu", "Log", "Mish", "Neg",
    "Reciprocal", "Relu", "Round", "Selu", "Shrink", "Sigmoid", "Sign", "Sin", "Softplus", "Softsign", "Sqrt", "Swish", "Tanh",
    "ThresholdedRelu",
)  # fmt: skip


def _image(model: QdqModel, zero: int = 7, dtype: str = "int8") -> str:
    """5 × 7 pixels of 3 channels: sizes that leave a rest in every vector kernel of onnxruntime."""
    return model.qdq(model.input("x", [1, 3, 5, 7]), 0.03, zero, dtype)


def _finish(model: QdqModel, value: str, zero: int = -20, dtype: str = "int8") -> None:
    model.output(model.qdq(value, 0.013, zero, dtype))


@pytest.mark.parametrize("op", UNARY)
def test_one_operator(tmp_path: Path, op: str) -> None:
    model = QdqModel(1, opset=24 if op == "Swish" else 21)
    unsigned = UNARY.index(op) % 2
    x = _image(model, *((130, "uint8") if unsigned else (7, "int8")))
    _finish(model, model.node(op, [x], **ATTRIBUTES.get(op, {})), *((90, "uint8") if unsigned else (-20, "int8")))
    (layer,) = compare(model.save(tmp_path), count=4).graph.layers
    assert isinstance(layer, Lookup)


def test_int8_to_uint8(tmp_path: Path) -> None:
    model = QdqModel(2)
    _finish(model, model.node("Tanh", [_image(model)]), 128, "uint8")
    compare(model.save(tmp_path))


def _scalar(model: QdqModel, value: float, shape: tuple[int, ...] = ()) -> str:
    return model.constant(np.full(shape, value, np.float32))


def _silu(model: QdqModel, x: str) -> str:
    return model.node("Mul", [x, model.node("Sigmoid", [x])])


def _gelu(model: QdqModel, x: str) -> str:
    error = model.node("Erf", [model.node("Div", [x, _scalar(model, 2**0.5)])])
    return model.node("Mul", [model.node("Mul", [x, model.node("Add", [error, _scalar(model, 1.0, (1,))])]), _scalar(model, 0.5)])


def _hard_swish(model: QdqModel, x: str) -> str:
    gate = model.node("Clip", [model.node("Add", [x, _scalar(model, 3.0)]), _scalar(model, 0.0), _scalar(model, 6.0)])
    return model.node("Div", [model.node("Mul", [x, gate]), _scalar(model, 6.0, (1, 1, 1, 1))])


def _mish(model: QdqModel, x: str) -> str:
    return model.node("Mul", [x, model.node("Tanh", [model.node("Softplus", [x])])])


def _leaky_by_where(model: QdqModel, x: str) -> str:
    positive = model.node("Greater", [x, _scalar(model, 0.0)])
    return model.node("Where", [positive, x, model.node("Mul", [x, _scalar(model, 0.3)])])


def _polynomial(model: QdqModel, x: str) -> str:
    square = model.node("Pow", [x, _scalar(model, 2.0)])
    low = model.node("Min", [model.node("Sub", [_scalar(model, 1.0), square]), x, _scalar(model, 0.7)])
    return model.node("Max", [low, _scalar(model, -1.0)])


def _prelu(model: QdqModel, x: str) -> str:
    return model.node("PRelu", [x, _scalar(model, 0.25, (1, 1, 1))])


def _through_shapes(model: QdqModel, x: str) -> str:
    """The activation meets its function again under another shape and back."""
    flat = model.node("Reshape", [x, model.constant(np.array([1, 105]))])
    image = model.node("Reshape", [model.node("Sigmoid", [flat]), model.constant(np.array([1, 3, 5, 7]))])
    return model.node("Mul", [image, x])


def _quantized_scalar(model: QdqModel, x: str) -> str:
    half = model.dequantize(model.constant(np.int8(50)), 0.01, 0)
    return model.node("Mul", [x, half])


@pytest.mark.parametrize(
    "build",
    [
        _silu, _gelu, _hard_swish, _mish, _leaky_by_where, _polynomial, _prelu, _through_shapes, _quantized_scalar,
    ],
)  # fmt: skip
@pytest.mark.parametrize("dtype", ["int8", "uint8"])
def test_several_operators_are_one_table(tmp_path: Path, build: Any, dtype: str) -> None:
    model = QdqModel(3)
    _finish(model, build(model, _image(model, 130 if dtype == "uint8" else 7, dtype)), 60, dtype)
    result = compare(model.save(tmp_path), count=4)
    assert [type(layer) for layer in result.graph.layers] == [Lookup]


def test_a_function_behind_a_convolution_joins_it(tmp_path: Path) -> None:
    model = QdqModel(4)
    x = model.qdq(model.conv(_image(model), (4, 3, 3, 3), 0.03), 0.05, 3)
    _finish(model, _silu(model, x))
    (layer,) = compare(model.save(tmp_path)).graph.layers
    assert isinstance(layer, Conv)
    assert layer.nodes[1:] == ("sigmoid_7", "mul_8")


def test_a_float_result_is_read_twice(tmp_path: Path) -> None:
    """Two scales of one function, and one of the convolution's results, quantized twice, is one layer."""
    model = QdqModel(5)
    x = _image(model)
    gate = model.node("Sigmoid", [x])
    model.output(model.qdq(gate, 1 / 256, -128))
    model.output(model.qdq(gate, 0.02, 0))
    conv = model.conv(x, (4, 3, 3, 3), 0.03)
    model.output(model.qdq(conv, 0.2, 0))
    model.output(model.qdq(conv, 0.2, 0))
    model.output(model.qdq(model.node("Relu", [conv]), 0.1, -128))
    result = compare(model.save(tmp_path))
    assert [type(layer) for layer in result.graph.layers] == [Lookup, Lookup, Conv, Conv]


def test_undefined_values_are_quantized_as_onnxruntime_does(tmp_path: Path) -> None:
    """Log of negative numbers is not a number: whatever code onnxruntime makes of it, the table has."""
    model = QdqModel(6)
    _finish(model, model.node("Log", [_image(model, 0)]))
    compare(model.save(tmp_path), count=4)


def test_a_slope_per_channel_is_refused(tmp_path: Path) -> None:
    model = QdqModel(7)
    slope = model.constant(np.array([0.1, 0.2, 0.3], np.float32).reshape(3, 1, 1))
    _finish(model, model.node("PRelu", [_image(model), slope]))
    with pytest.raises(TalosError, match=r"node 'prelu_2' \(PRelu\): its slope differs between channels; .*talos quantize"):
        build_graph(model.save(tmp_path))


def test_a_function_of_a_convolution_without_scale_is_refused(tmp_path: Path) -> None:
    model = QdqModel(8)
    _finish(model, model.node("Sigmoid", [model.conv(_image(model), (4, 3, 3, 3), 0.03)]))
    with pytest.raises(TalosError, match=r"node 'sigmoid_5' .*float result of 'conv_4'; quantize it"):
        build_graph(model.save(tmp_path))


def test_a_quantized_gate_is_a_table_of_its_operand(tmp_path: Path) -> None:
    """Quantizers put a scale behind Sigmoid as well: x times the codes of Sigmoid(x) still depends on x alone."""
    model = QdqModel(9)
    x = model.qdq(model.conv(_image(model), (4, 3, 3, 3), 0.03), 0.05, 3)
    gate = model.qdq(model.node("Sigmoid", [x]), 1 / 256, -128)
    _finish(model, model.node("Mul", [gate, x]))
    (layer,) = compare(model.save(tmp_path), count=6).graph.layers
    assert isinstance(layer, Conv)
    assert layer.table is not None


def test_a_quantized_hard_swish_is_a_table(tmp_path: Path) -> None:
    model = QdqModel(10)
    x = _image(model)
    total = model.qdq(model.node("Add", [x, model.constant(np.float32(3))]), 0.04, -100)
    gate = model.qdq(model.node("Clip", [total, model.constant(np.float32(0)), model.constant(np.float32(6))]), 6 / 255, -128)
    product = model.qdq(model.node("Mul", [x, gate]), 0.06, -100)
    _finish(model, model.node("Div", [product, model.constant(np.float32(6))]))
    layers = compare(model.save(tmp_path), count=6).graph.layers
    assert [type(layer) for layer in layers] == [Lookup]


def test_maximum_and_minimum_of_a_result_bound_it(tmp_path: Path) -> None:
    model = QdqModel(11)
    x = model.node("Max", [model.conv(_image(model), (4, 3, 3, 3), 0.03), _scalar(model, -0.3)])
    model.output(model.qdq(model.node("Min", [_scalar(model, 0.9, (1,)), x]), 0.02, -3))
    (layer,) = compare(model.save(tmp_path)).graph.layers
    assert isinstance(layer, Conv)
    assert (layer.low, layer.high, layer.table) == (-18, 42, None)


@pytest.mark.parametrize(("dtype", "low", "high"), [("int8", -8, 7), ("uint8", 100, 200)])
def test_codes_are_clamped(tmp_path: Path, dtype: str, low: int, high: int) -> None:
    """Fewer bits kept in bytes: Clip between QuantizeLinear and DequantizeLinear."""
    model = QdqModel(12)
    zero = 128 * (dtype == "uint8")
    bounds = [model.constant(np.array(bound, dtype)) for bound in (low, high)]
    codes = model.quantize(model.conv(_image(model), (4, 3, 3, 3), 0.03), 0.05, zero, dtype)
    model.output(model.dequantize(model.node("Clip", [codes, *bounds]), 0.05, zero, dtype))
    (layer,) = compare(model.save(tmp_path)).graph.layers
    assert isinstance(layer, Conv)
    assert (layer.low, layer.high, layer.table) == (low - zero, high - zero, None)


def test_weights_are_clamped(tmp_path: Path) -> None:
    model = QdqModel(13)
    codes = model.quantize(model.constant(model.random.normal(0, 0.2, (4, 3, 3, 3)).astype(np.float32)), 0.003, 0)
    codes = model.node("Clip", [codes, model.constant(np.int8(-60)), model.constant(np.int8(61))])
    _finish(model, model.qdq(model.node("Conv", [_image(model), model.dequantize(codes, 0.003, 0)]), 0.013, -20))
    (layer,) = compare(model.save(tmp_path)).graph.layers
    assert isinstance(layer, Conv)
    assert (layer.weight.min(), layer.weight.max()) == (-60, 61)
