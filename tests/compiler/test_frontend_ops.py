"""Every supported operator, alone or with its neighbours, equals onnxruntime byte for byte."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from talos.compiler.graph.ir import Binary, Concat, Conv, Lookup, Pool, Rearrange
from tests.compiler.qdq_models import QdqModel, compare

X, Y = 0.03, 0.05  # scales


def _image(model: QdqModel, channels: int = 4, size: int = 9, zero: int = 7, dtype: str = "int8") -> str:
    return model.qdq(model.input("x", [1, channels, size, size]), X, zero, dtype)


def _finish(model: QdqModel, value: str, scale: float = 0.4, zero: int = -3, dtype: str = "int8") -> None:
    model.output(model.qdq(value, scale, zero, dtype))


@pytest.mark.parametrize(
    ("weight", "attributes"),
    [
        ((6, 4, 3, 3), {"pads": [1, 1, 1, 1]}),
        ((6, 4, 1, 1), {"strides": [2, 2]}),
        ((6, 4, 3, 2), {"pads": [0, 1, 2, 0], "strides": [2, 1]}),
        ((6, 4, 3, 3), {"dilations": [2, 3], "pads": [2, 3, 2, 3]}),
        ((4, 1, 3, 3), {"group": 4, "pads": [1, 1, 1, 1]}),
        ((8, 1, 3, 3), {"group": 4}),
        ((6, 2, 3, 3), {"group": 2}),
        ((3, 4, 9, 9), {}),
        ((5, 4, 4, 4), {"auto_pad": "SAME_UPPER", "strides": [2, 2]}),
        ((5, 4, 4, 3), {"auto_pad": "SAME_LOWER"}),
        ((5, 4, 3, 3), {"auto_pad": "VALID", "strides": [2, 3]}),
    ],
)
def test_convolution(tmp_path: Path, weight: tuple[int, ...], attributes: dict[str, Any]) -> None:
    model = QdqModel()
    _finish(model, model.conv(_image(model), weight, X, **attributes))
    result = compare(model.save(tmp_path))
    assert {type(layer) for layer in result.graph.layers} <= {Conv, Concat}


@pytest.mark.parametrize("dtype", ["int8", "uint8"])
@pytest.mark.parametrize(("bias", "per_channel"), [(True, False), (False, True), (False, False)])
def test_convolution_types(tmp_path: Path, dtype: str, bias: bool, per_channel: bool) -> None:
    model = QdqModel(1)
    x = _image(model, zero=100, dtype=dtype)
    _finish(model, model.conv(x, (5, 4, 3, 3), X, bias=bias, per_channel=per_channel), zero=90, dtype=dtype)
    compare(model.save(tmp_path))


@pytest.mark.parametrize("zero", [0, 128, 120])
def test_unsigned_weights(tmp_path: Path, zero: int) -> None:
    model = QdqModel(2)
    x = _image(model, zero=128, dtype="uint8")
    weight = model.constant(model.random.integers(max(zero - 100, 0), zero + 100, (5, 4, 3, 3)).astype(np.uint8))
    weight = model.dequantize(weight, 0.01, zero, "uint8")
    _finish(model, model.node("Conv", [x, weight]), zero=90, dtype="uint8")
    compare(model.save(tmp_path))


def test_float_bias_is_rounded_as_onnxruntime_does(tmp_path: Path) -> None:
    model = QdqModel(3)
    x, weight = _image(model), model.weight((5, 4, 3, 3))
    bias = model.constant(model.random.normal(0, 1, 5).astype(np.float32))
    _finish(model, model.node("Conv", [x, weight, bias]))
    compare(model.save(tmp_path))


def test_zero_points_left_out_mean_uint8_and_zero(tmp_path: Path) -> None:
    model = QdqModel(27)
    x = model.input("x", [1, 4, 9, 9])
    for scale, shape in ((X, (5, 4, 3, 3)), (0.4, ())):
        step = model.constant(np.float32(scale))
        x = model.node("DequantizeLinear", [model.node("QuantizeLinear", [x, step]), step])
        x = model.conv(x, shape, X) if shape else x
    model.output(x)
    (layer,) = compare(model.save(tmp_path)).graph.layers
    assert layer.output.unsigned
    assert layer.output.zero_point == -128


def test_relu_becomes_the_lower_bound(tmp_path: Path) -> None:
    model = QdqModel(4)
    _finish(model, model.node("Relu", [model.conv(_image(model), (5, 4, 3, 3), X)]), zero=-128)
    (layer,) = compare(model.save(tmp_path)).graph.layers
    assert isinstance(layer, Conv)
    assert layer.low == -128
    assert layer.nodes == ("conv_4", "relu_5")


def test_relu_between_equal_scales_becomes_a_clamp(tmp_path: Path) -> None:
    model = QdqModel(5)
    conv = model.qdq(model.conv(_image(model), (5, 4, 3, 3), X), 0.3, 5)
    _finish(model, model.node("Relu", [conv]), 0.3, 5)
    (layer,) = compare(model.save(tmp_path)).graph.layers
    assert isinstance(layer, Conv)
    assert (layer.low, layer.high, layer.table) == (5, 127, None)


def test_relu_between_other_scales_becomes_a_table(tmp_path: Path) -> None:
    model = QdqModel(6)
    conv = model.qdq(model.conv(_image(model), (5, 4, 3, 3), X), 0.3, 5)
    _finish(model, model.node("Relu", [conv]), 0.15, -128)
    (layer,) = compare(model.save(tmp_path)).graph.layers
    assert isinstance(layer, Conv)
    assert layer.table is not None
    assert (layer.table_scale, layer.table_zero_point) == (np.float32(0.3), 5)


def test_clip_bounds_the_codes(tmp_path: Path) -> None:
    model = QdqModel(7)
    conv = model.conv(_image(model), (5, 4, 3, 3), X)
    clip = model.node("Clip", [conv, model.constant(np.float32(0)), model.constant(np.float32(6))])
    _finish(model, clip, 6 / 255, -128)
    compare(model.save(tmp_path))


@pytest.mark.parametrize(
    ("op", "attributes"),
    [
        ("Sigmoid", {}),
        ("Tanh", {}),
        ("HardSwish", {}),
        ("HardSigmoid", {"alpha": 0.1, "beta": 0.4}),
        ("LeakyRelu", {"alpha": 0.2}),
        ("Elu", {}),
        ("Relu", {}),
    ],
)
@pytest.mark.parametrize("fused", [False, True])
def test_unary_functions(tmp_path: Path, op: str, attributes: dict[str, Any], fused: bool) -> None:
    model = QdqModel(8)
    x = _image(model)
    if fused:
        x = model.qdq(model.conv(x, (5, 4, 3, 3), X), 0.04, 10)
    _finish(model, model.node(op, [x], **attributes), 0.013, -20)
    (layer,) = compare(model.save(tmp_path)).graph.layers
    assert isinstance(layer, Conv if fused else Lookup)


def test_requantization_is_a_table(tmp_path: Path) -> None:
    model = QdqModel(9)
    x = model.dequantize(model.input("x", [1, 4, 9, 9], "int8"), X, 7)
    model.output(model.quantize(x, 0.021, 30), "int8")
    (layer,) = compare(model.save(tmp_path)).graph.layers
    assert isinstance(layer, Lookup)


def test_two_scales_in_a_row(tmp_path: Path) -> None:
    model = QdqModel(28)
    _finish(model, model.qdq(model.conv(_image(model), (5, 4, 3, 3), X), 0.3, 5), 0.21, 30)
    (layer,) = compare(model.save(tmp_path)).graph.layers
    assert isinstance(layer, Conv)
    assert layer.table is not None


@pytest.mark.parametrize("dtype", ["int8", "uint8"])
@pytest.mark.parametrize(
    "attributes",
    [
        {"kernel_shape": [2, 2], "strides": [2, 2]},
        {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]},
        {"kernel_shape": [3, 2], "strides": [2, 2], "ceil_mode": 1},
        {"kernel_shape": [2, 2], "auto_pad": "SAME_UPPER"},
    ],
)
def test_max_pool(tmp_path: Path, attributes: dict[str, Any], dtype: str) -> None:
    model = QdqModel(10)
    x = _image(model, dtype=dtype)
    _finish(model, model.node("MaxPool", [x], **attributes), X, 7, dtype)
    (layer,) = compare(model.save(tmp_path)).graph.layers
    assert isinstance(layer, Pool)


def test_max_pool_with_another_scale_gets_a_table(tmp_path: Path) -> None:
    model = QdqModel(11)
    _finish(model, model.node("MaxPool", [_image(model)], kernel_shape=[3, 3]), 0.02, 0)
    assert [layer.op for layer in compare(model.save(tmp_path)).graph.layers] == ["pool", "lookup"]


@pytest.mark.parametrize("dtype", ["int8", "uint8"])
def test_global_average_pool(tmp_path: Path, dtype: str) -> None:
    model = QdqModel(12)
    _finish(model, model.node("GlobalAveragePool", [_image(model, dtype=dtype)]), 0.011, 20, dtype)
    compare(model.save(tmp_path), count=20)


@pytest.mark.parametrize(
    "attributes",
    [
        {"kernel_shape": [9, 9], "strides": [9, 9]},
        {"kernel_shape": [3, 3], "strides": [3, 3]},
        {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "count_include_pad": 1},
        {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "count_include_pad": 0},
    ],
)
def test_average_pool(tmp_path: Path, attributes: dict[str, Any]) -> None:
    model = QdqModel(13)
    _finish(model, model.node("AveragePool", [_image(model)], **attributes), 0.0137, 20)
    compare(model.save(tmp_path))


@pytest.mark.parametrize(("dtype", "zeros"), [("int8", (7, -20, -128)), ("uint8", (130, 100, 0))])
def test_add_of_two_inputs(tmp_path: Path, dtype: str, zeros: tuple[int, int, int]) -> None:
    model = QdqModel(14)
    a = model.qdq(model.input("a", [1, 4, 6, 6]), X, zeros[0], dtype)
    b = model.qdq(model.input("b", [1, 4, 6, 6]), Y, zeros[1], dtype)
    _finish(model, model.node("Relu", [model.node("Add", [a, b])]), 0.06, zeros[2], dtype)
    (layer,) = compare(model.save(tmp_path), count=10).graph.layers
    assert isinstance(layer, Binary)


@pytest.mark.parametrize("own_first", [True, False])
def test_add_joins_the_convolution(tmp_path: Path, own_first: bool) -> None:
    model = QdqModel(15)
    x = _image(model)
    conv = model.qdq(model.conv(x, (4, 4, 3, 3), X, pads=[1, 1, 1, 1]), 0.3, 9)
    _finish(model, model.node("Add", [conv, x] if own_first else [x, conv]), 0.31, -7)
    (layer,) = compare(model.save(tmp_path), count=10).graph.layers
    assert isinstance(layer, Conv)
    assert layer.residual is not None
    assert layer.residual.own_first == own_first


def test_add_of_two_convolutions_joins_the_later_one_and_its_table(tmp_path: Path) -> None:
    model = QdqModel(16)
    x = _image(model)
    first = model.qdq(model.conv(x, (4, 4, 3, 3), X), 0.3, 9)
    second = model.qdq(model.conv(x, (4, 4, 3, 3), X), 0.2, 0)
    total = model.qdq(model.node("Add", [first, second]), 0.31, -7)
    _finish(model, model.node("Sigmoid", [total]), 1 / 256, -128)
    one, two = compare(model.save(tmp_path)).graph.layers
    assert isinstance(one, Conv)
    assert isinstance(two, Conv)
    assert one.residual is None
    assert two.residual is not None
    assert two.residual.tensor is one.output
    assert two.table is not None


def test_a_result_read_twice_is_not_fused_away(tmp_path: Path) -> None:
    model = QdqModel(17)
    x = _image(model)
    conv = model.qdq(model.conv(x, (4, 4, 3, 3), X, pads=[1, 1, 1, 1]), 0.3, 9)
    total = model.qdq(model.node("Add", [conv, x]), 0.31, -7)
    _finish(model, model.node("Add", [total, conv]), 0.5, 0)
    layers = compare(model.save(tmp_path)).graph.layers
    assert [layer.op for layer in layers] == ["conv", "add", "add"]


@pytest.mark.parametrize("form", ["Gemm", "GemmT", "MatMul", "MatMulAdd"])
@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
def test_fully_connected_behind_an_image(tmp_path: Path, form: str, layout: str) -> None:
    model = QdqModel(18)
    pool = model.qdq(model.node("MaxPool", [_image(model)], kernel_shape=[3, 3], strides=[3, 3]), X, 7)
    if layout == "NHWC":
        pool = model.qdq(model.node("Transpose", [pool], perm=[0, 2, 3, 1]), X, 7)
    flat = model.qdq(model.node("Flatten", [pool]), X, 7)
    if form.startswith("Gemm"):
        transposed = form == "GemmT"
        weight = model.weight((10, 36) if transposed else (36, 10), axis=0 if transposed else 1)
        value = model.node("Gemm", [flat, weight, model.bias(10, X)], transB=int(transposed))
    else:
        value = model.node("MatMul", [flat, model.weight((36, 10), axis=1)])
        if form == "MatMulAdd":
            value = model.node("Add", [value, model.bias(10, X)])
    _finish(model, value, 0.5, 4)
    layers = compare(model.save(tmp_path)).graph.layers
    assert [layer.op for layer in layers] == ["pool", "conv"]


def test_channels_last_input_and_output(tmp_path: Path) -> None:
    model = QdqModel(19)
    x = model.node("Transpose", [model.input("x", ["batch", 8, 6, 3])], perm=[0, 3, 1, 2])
    conv = model.qdq(model.conv(model.qdq(x, X, 7), (5, 3, 3, 3), X), 0.2, 0)
    model.output(model.node("Transpose", [conv], perm=[0, 2, 3, 1]))
    result = compare(model.save(tmp_path))
    assert [layer.op for layer in result.graph.layers] == ["conv"]
    assert result.graph.input_specs[0].permutation == (0,)  # NHWC already: no byte moves


@pytest.mark.parametrize("dtype", ["int8", "uint8"])
def test_integer_input_and_output(tmp_path: Path, dtype: str) -> None:
    model = QdqModel(20)
    x = model.node("Reshape", [model.input("x", ["n", 8, 6, 1], dtype), model.constant(np.array([-1, 1, 8, 6]))])
    conv = model.conv(model.dequantize(x, X, 7, dtype), (5, 1, 3, 3), X)
    model.output(model.quantize(conv, 0.1, 20, dtype), dtype)
    compare(model.save(tmp_path))


def test_zero_padding_joins_the_convolution(tmp_path: Path) -> None:
    model = QdqModel(21)
    pads = model.constant(np.array([0, 0, 0, 1, 0, 0, 2, 1]))
    x = model.node("Pad", [_image(model), pads, model.constant(np.float32(0))])
    _finish(model, model.conv(model.qdq(x, X, 7), (5, 4, 3, 3), X, strides=[2, 2]))
    (layer,) = compare(model.save(tmp_path)).graph.layers
    assert isinstance(layer, Conv)
    assert layer.pads == (0, 1, 2, 1)


@pytest.mark.parametrize(
    ("cut", "pads"),
    [
        ((0, 9, 2), (0, 4, 0, 0, 0, 2, 0, 0)),
        ((1, 8, 3), (0, 0, 0, 0, 0, 0, 0, 0)),
        ((2, 6, 1), (0, 0, 0, 0, 0, 1, 0, 0)),
        ((2, 6, 1), (0, 1, 1, 2, 0, 0, 3, 0)),  # cropped and padded on one side
    ],
)
def test_slices_and_channel_padding_are_one_copy(tmp_path: Path, cut: tuple[int, int, int], pads: tuple[int, ...]) -> None:
    """The shortcut of the original CIFAR ResNets: every second pixel, and zero channels."""
    model = QdqModel(22)
    bounds = [model.constant(np.array([value])) for value in cut]
    x = model.node("Slice", [_image(model), bounds[0], bounds[1], model.constant(np.array([2])), bounds[2]])
    x = model.qdq(model.node("Slice", [x, bounds[0], bounds[1], model.constant(np.array([3])), bounds[2]]), X, 7)
    x = model.node("Pad", [x, model.constant(np.array(pads)), model.constant(np.float32(0))])
    _finish(model, x, 0.021, 0)
    (layer,) = compare(model.save(tmp_path)).graph.layers
    assert isinstance(layer, Rearrange)
    assert layer.table is not None  # the new scale


def test_a_slice_into_a_fully_connected_layer_costs_nothing(tmp_path: Path) -> None:
    model = QdqModel(23)
    arrays = [model.constant(np.array([value])) for value in (1, 3, 1)]
    x = model.node("Slice", [_image(model, size=4), *arrays])
    flat = model.qdq(model.node("Flatten", [model.qdq(x, X, 7)]), X, 7)
    _finish(model, model.node("Gemm", [flat, model.weight((32, 10), axis=1)]), 0.5)
    assert [layer.op for layer in compare(model.save(tmp_path)).graph.layers] == ["conv"]


def test_reshape_between_image_shapes_is_a_view(tmp_path: Path) -> None:
    model = QdqModel(24)
    flat = model.node("Flatten", [model.node("GlobalAveragePool", [_image(model)])])
    flat = model.qdq(flat, 0.01, 3)
    image = model.qdq(model.node("Reshape", [flat, model.constant(np.array([1, 4, 1, 1]))]), 0.01, 3)
    _finish(model, model.conv(image, (6, 4, 1, 1), 0.01))
    assert [layer.op for layer in compare(model.save(tmp_path)).graph.layers] == ["pool", "conv"]


@pytest.mark.parametrize("quantized", [False, True])
@pytest.mark.parametrize("op", ["Softmax", "ArgMax"])
def test_the_end_runs_on_the_host(tmp_path: Path, op: str, quantized: bool) -> None:
    model = QdqModel(25)
    pooled = model.node("GlobalAveragePool", [_image(model)])
    flat = model.qdq(model.node("Flatten", [model.qdq(pooled, 0.01, 3)]), 0.01, 3)
    value = model.node(op, [model.qdq(model.node("Gemm", [flat, model.weight((4, 10), axis=1)]), 0.1, 4)], axis=1)
    if op == "Softmax" and quantized:
        value = model.qdq(value, 1 / 256, -128)
    model.output(value, "int64" if op == "ArgMax" else "float32")
    result = compare(model.save(tmp_path))
    (part,) = result.graph.host
    assert op in part.op_types
    row = next(row for row in result.node_placement if row.op == op)
    assert row.placement == "host"
    assert op in row.reason


def test_unused_layers_are_dropped(tmp_path: Path) -> None:
    model = QdqModel(26)
    x = _image(model)
    model.qdq(model.conv(x, (3, 4, 1, 1), X), 0.1, 0)
    _finish(model, model.conv(x, (5, 4, 3, 3), X))
    assert len(compare(model.save(tmp_path)).graph.layers) == 1
