"""Scales and zero points that are no scales and zero points, and forms of quantization that are not supported."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
from onnx import TensorProto, helper, numpy_helper

from tests.malformed.registry import Made, malformed, one_layer
from tests.quirks.net import Net, X
from tests.quirks.registry import Network

__all__: list[str] = []


def _input_scale(value: float) -> Network:
    net = Net()
    scale, zero = net.constant(np.float32(value)), net.constant(np.int8(0))
    x = net.node("DequantizeLinear", [net.node("QuantizeLinear", [net.input("x", [1, 3, 8, 8]), scale, zero]), scale, zero])
    net.scales[x] = X
    return net.quantized(net.conv_layer(x, (4, 3, 3, 3)))


def _weight(codes: npt.NDArray[np.generic], scale: npt.ArrayLike, zero: npt.ArrayLike | None, **attributes: int) -> Network:
    """One convolution, 'conv_3', with this weight."""
    net = Net()
    x = net.image(1, 3, 8, 8)
    extra = [] if zero is None else [net.constant(zero)]
    weight = net.node(
        "DequantizeLinear", [net.constant(codes), net.constant(np.asarray(scale, np.float32)), *extra], **attributes
    )
    return net.quantized(net.qdq(net.node("Conv", [x, weight]), 0.1, 0))


CODES = np.ones((4, 3, 3, 3), np.int8)


@malformed("a scale of 0", "scale", "positive", node="quantizelinear_0")
def scale_0(folder: Path) -> Made:
    return _input_scale(0)


@malformed("a negative scale", "scale", "positive", node="quantizelinear_0")
def negative_scale(folder: Path) -> Made:
    return _input_scale(-0.1)


@malformed("a scale that is NaN", "scale", "positive", node="quantizelinear_0")
def nan_scale(folder: Path) -> Made:
    return _input_scale(np.nan)


@malformed("an infinite scale", "scale", "positive", node="quantizelinear_0")
def infinite_scale(folder: Path) -> Made:
    return _input_scale(np.inf)


@malformed("a denormal scale: the requantization would overflow", "scale", node="conv_4")
def denormal_scale(folder: Path) -> Made:
    net = Net()
    weight = net.weight((4, 3, 3, 3))
    return net.quantized(net.qdq(net.node("Conv", [net.image(1, 3, 8, 8), weight, net.bias(4, X)]), 1e-44, 0))


@malformed("a weight scale of 0", "scale", node="conv_3")
def weight_scale_0(folder: Path) -> Made:
    return _weight(CODES, 0, np.int8(0))


@malformed("a negative weight scale in one channel", "scale", node="conv_3")
def negative_weight_scale(folder: Path) -> Made:
    return _weight(CODES, [0.1, 0.1, -0.1, 0.1], np.zeros(4, np.int8), axis=0)


@malformed("a weight scale that is NaN in one channel", "scale", node="conv_3")
def nan_weight_scale(folder: Path) -> Made:
    return _weight(CODES, [0.1, np.nan, 0.1, 0.1], np.zeros(4, np.int8), axis=0)


@malformed("three weight scales for four channels", "dequantizelinear_2")
def wrong_number_of_scales(folder: Path) -> Made:
    return _weight(CODES, [0.1, 0.1, 0.2], np.zeros(3, np.int8), axis=0)


@malformed("four scales and three zero points", "dequantizelinear_2")
def wrong_number_of_zero_points(folder: Path) -> Made:
    return _weight(CODES, [0.1] * 4, np.zeros(3, np.int8), axis=0)


@malformed("an axis of scales that the weight does not have", "dequantizelinear_2")
def scale_axis(folder: Path) -> Made:
    return _weight(CODES, [0.1] * 4, np.zeros(4, np.int8), axis=5)


@malformed("weight scales along the input channels", "axis", node="conv_3")
def scales_of_input_channels(folder: Path) -> Made:
    return _weight(CODES, [0.1, 0.2, 0.3], np.zeros(3, np.int8), axis=1)


@malformed("a zero point of another type than the codes", "dequantizelinear_2")
def zero_point_type(folder: Path) -> Made:
    return _weight(CODES, 0.1, np.uint8(3))


@malformed("a zero point outside its type", "net.onnx")
def zero_point_out_of_range(folder: Path) -> Made:
    model = one_layer()[1]
    zero = next(tensor for tensor in model.graph.initializer if tensor.data_type == TensorProto.INT8 and not tensor.dims)
    zero.CopyFrom(helper.make_tensor(zero.name, TensorProto.INT8, [], [0]))
    zero.int32_data[0] = 300
    return model


@malformed("a scale for each channel of an activation", "per tensor", node="quantizelinear_0")
def per_channel_activation(folder: Path) -> Made:
    net = Net()
    pair = [net.constant(np.array([0.1, 0.2, 0.3], np.float32)), net.constant(np.zeros(3, np.int8))]
    x = net.node("DequantizeLinear", [net.node("QuantizeLinear", [net.input("x", [1, 3, 8, 8]), *pair], axis=1), *pair], axis=1)
    net.scales[x] = X
    return net.quantized(net.conv_layer(x, (4, 3, 3, 3)))


@malformed("DequantizeLinear with another scale than QuantizeLinear", "differ", node="dequantizelinear_1")
def unequal_pair(folder: Path) -> Made:
    net = Net()
    x = net.dequantize(net.quantize(net.input("x", [1, 3, 8, 8]), X, 0), 2 * X, 0)
    return net.quantized(net.conv_layer(x, (4, 3, 3, 3)))


@malformed("a scale that is computed at run time", "run time")
def computed_scale(folder: Path) -> Made:
    net = Net()
    x, zero = net.input("x", [1, 3, 8, 8]), net.constant(np.int8(0))
    scale = net.node("ReduceMax", [x], keepdims=0)
    value = net.node("DequantizeLinear", [net.node("QuantizeLinear", [x, scale, zero]), scale, zero])
    net.scales[value] = X
    return net.quantized(net.conv_layer(value, (4, 3, 3, 3)))


@malformed("dynamic quantization", "DynamicQuantizeLinear")
def dynamic_quantization(folder: Path) -> Made:
    net = Net()
    codes = net.node("DynamicQuantizeLinear", [net.input("x", [1, 3, 8, 8])], outputs=3)
    scale, zero = (codes.replace("_0", f"_{part}") for part in (1, 2))
    value = net.node("DequantizeLinear", [codes, scale, zero])
    net.scales[value] = X
    return net.quantized(net.conv_layer(value, (4, 3, 3, 3)))


def _bias(scale: float, zero: int) -> Network:
    """One Gemm, 'gemm_4', with this scale and zero point of its int32 bias; its right scale is X * 0.01."""
    net = Net()
    x, weight = net.image(1, 27), net.dequantize(net.constant(CODES.reshape(4, 27)), 0.01, 0)
    parameters = [
        net.constant(np.arange(4, dtype=np.int32) * 1000),
        net.constant(np.float32(scale)),
        net.constant(np.int32(zero)),
    ]
    bias = net.node("DequantizeLinear", parameters)
    return net.quantized(net.qdq(net.node("Gemm", [x, weight, bias], transB=1), 0.1, 0))


@malformed(
    "an int32 bias with a zero point, which ONNX forbids and onnxruntime's Gemm ignores", "bias", "zero point", node="gemm_4"
)
def bias_with_zero_point(folder: Path) -> Made:
    return _bias(X * 0.01, 5000)


@malformed("an int32 bias in steps of its own, which onnxruntime's Gemm takes for its own", "bias", "scale", node="gemm_4")
def bias_with_its_own_scale(folder: Path) -> Made:
    return _bias(X * 0.05, 0)


@malformed("a float bias that is infinite", "bias", node="conv_3")
def infinite_bias(folder: Path) -> Made:
    net = Net()
    x, weight = net.image(1, 3, 8, 8), net.dequantize(net.constant(CODES), 0.01, 0)
    return net.quantized(net.qdq(net.node("Conv", [x, weight, net.constant(np.full(4, np.inf, np.float32))]), 0.1, 0))


@malformed("float weights that are NaN, in a float model", "net.onnx")
def nan_weight(folder: Path) -> Made:
    net = Net()
    network = net.floating(net.fconv(net.fconv_relu(net.input("x", [1, 3, 8, 8]), (4, 3, 3, 3)), (4, 4, 3, 3)))
    weight = next(tensor for tensor in network.model.graph.initializer if len(tensor.dims) == 4)
    array = numpy_helper.to_array(weight).copy()
    array[0, 0, 0, 0] = np.nan
    weight.CopyFrom(numpy_helper.from_array(array, weight.name))
    return network


@malformed("float weights so large that the calibration overflows", "net.onnx")
def infinite_weight(folder: Path) -> Made:
    net = Net()
    network = net.floating(net.fconv(net.fconv_relu(net.input("x", [1, 3, 8, 8]), (4, 3, 3, 3)), (4, 4, 3, 3)))
    for weight in network.model.graph.initializer:
        array = numpy_helper.to_array(weight)
        weight.CopyFrom(numpy_helper.from_array(array * np.float32(1e38), weight.name))
    return network


@malformed("activations quantized to int16", "int16")
def int16_activations(folder: Path) -> Made:
    net = Net(opset=21)
    pair = [net.constant(np.float32(X)), net.constant(np.int16(0))]
    x = net.node("DequantizeLinear", [net.node("QuantizeLinear", [net.input("x", [1, 3, 8, 8]), *pair]), *pair])
    net.scales[x] = X
    return net.quantized(net.conv_layer(x, (4, 3, 3, 3)))


@malformed("weights of 4 bits", "int4", node="conv_3")
def int4_weights(folder: Path) -> Made:
    net = Net(opset=21)
    x = net.image(1, 3, 8, 8)
    net.constants.append(helper.make_tensor("w4", TensorProto.INT4, [4, 3, 3, 3], [1, -2] * 54))
    weight = net.node("DequantizeLinear", ["w4", net.constant(np.float32(0.1))])
    return net.quantized(net.qdq(net.node("Conv", [x, weight]), 0.1, 0))


@malformed("weights with a scale for each block", "blocked", node="dequantizelinear_2")
def blocked_weights(folder: Path) -> Made:
    net = Net(opset=21)
    x = net.image(1, 32)
    codes, scale = net.constant(np.ones((32, 5), np.int8)), net.constant(np.full((2, 5), 0.1, np.float32))
    weight = net.node("DequantizeLinear", [codes, scale], axis=0, block_size=16)
    return net.quantized(net.qdq(net.node("MatMul", [x, weight]), 0.1, 0))


@malformed("weights in float16, cast to float", "weight", node="conv_3")
def float16_weights(folder: Path) -> Made:
    net = Net()
    x = net.image(1, 3, 8, 8)
    weight = net.node("Cast", [net.constant(np.ones((4, 3, 3, 3), np.float16))], to=TensorProto.FLOAT)
    return net.quantized(net.qdq(net.node("Conv", [x, weight]), 0.1, 0))


@malformed("activations in float8", "float8")
def float8_activations(folder: Path) -> Made:
    net = Net(opset=19)
    net.constants.append(helper.make_tensor("zero8", TensorProto.FLOAT8E4M3FN, [], [0.0]))
    scale = net.constant(np.float32(X))
    x = net.node("DequantizeLinear", [net.node("QuantizeLinear", [net.input("x", [1, 3, 8, 8]), scale, "zero8"]), scale, "zero8"])
    net.scales[x] = X
    return net.quantized(net.conv_layer(x, (4, 3, 3, 3)))
