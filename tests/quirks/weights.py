"""Weights and biases: types, zero points, scales, and the ways to write them."""

import numpy as np

from tests.quirks.net import Net, X
from tests.quirks.registry import Network, quirk

__all__: list[str] = []


def _conv(net: Net, x: str, weight: str, kernel: int, *bias: str) -> str:
    return net.node("Conv", [x, weight, *bias], kernel_shape=[kernel, kernel])


@quirk("one weight scale for the whole tensor, int32 bias with one scale")
def per_tensor() -> Network:
    net = Net()
    x = net.conv_layer(net.image(1, 3, 9, 9), (8, 3, 3, 3), per_channel=False, relu=True, zero=-128)
    return net.quantized(net.conv_layer(x, (8, 8, 3, 3), per_channel=False))


@quirk("a scale for each output channel, int32 bias with as many")
def per_channel() -> Network:
    net = Net(1)
    x = net.conv_layer(net.image(1, 3, 9, 9), (8, 3, 3, 3), relu=True, zero=-128)
    return net.quantized(net.conv_layer(x, (8, 8, 3, 3)))


@quirk("int32 bias of a per-channel layer without a zero point")
def bias_without_zero_point() -> Network:
    net = Net(2)
    weight = net.weight((6, 3, 3, 3))
    scale = net.constant((np.float32(X) * net.last_scale).astype(np.float32))
    codes = net.constant(net.random.integers(-999, 999, 6).astype(np.int32))
    bias = net.node("DequantizeLinear", [codes, scale], axis=0)
    return net.quantized(net.qdq(_conv(net, net.image(1, 3, 8, 8), weight, 3, bias), 0.1, 0))


@quirk("a float bias beside quantized weights (TensorRT and Brevitas style)")
def float_bias() -> Network:
    net = Net(3)
    x = net.image(1, 3, 9, 9)
    y = net.qdq(_conv(net, x, net.weight((8, 3, 3, 3)), 3, net.values([8])), 0.1, -12)
    return net.quantized(net.qdq(_conv(net, y, net.weight((4, 8, 3, 3), per_channel=False), 3, net.values([4])), 0.2, 0))


@quirk("a bias scale that is off by its last bit (products rounded by the exporter)")
def bias_scale_off_by_a_bit() -> Network:
    net = Net(4)
    weight = net.weight((6, 3, 3, 3))
    exact = np.float32(X) * net.last_scale
    scale = np.nextafter(exact.astype(np.float32), np.float32(1))
    codes = net.random.integers(-999, 999, 6).astype(np.int32)
    bias = net.node("DequantizeLinear", [net.constant(codes), net.constant(scale), net.constant(np.zeros(6, np.int32))], axis=0)
    return net.quantized(net.qdq(_conv(net, net.image(1, 3, 8, 8), weight, 3, bias), 0.1, 0))


@quirk("biases so large that they alone saturate the result")
def large_bias() -> Network:
    net = Net(5)
    weight = net.weight((6, 3, 1, 1), per_channel=False)
    scale = net.constant((np.float32(X) * net.last_scale).astype(np.float32))
    codes = np.array([1 << 30, -(1 << 30), 1 << 20, -(1 << 20), 0, 1], np.int32)
    bias = net.node("DequantizeLinear", [net.constant(codes), scale, net.constant(np.int32(0))])
    return net.quantized(net.qdq(_conv(net, net.image(1, 3, 6, 6), weight, 1, bias), 0.1, 0))


@quirk("biases at the ends of int32: sums that overflow as onnxruntime's do")
def overflowing_bias() -> Network:
    net = Net(18)
    weight = net.dequantize(net.constant(np.full((2, 3, 3, 3), 127, np.int8)), 0.01, 0)
    codes = net.constant(np.array([2**31 - 1, -(2**31)], np.int32))
    bias = net.node("DequantizeLinear", [codes, net.constant(np.float32(X * 0.01))])
    return net.quantized(net.qdq(_conv(net, net.image(1, 3, 8, 8), weight, 3, bias), 0.1, 0))


@quirk("no bias anywhere")
def no_bias() -> Network:
    net = Net(6)
    x = net.conv_layer(net.image(1, 3, 9, 9, zero=-31), (8, 3, 3, 3), pads=[1] * 4, bias=False, zero=40)
    return net.quantized(net.conv_layer(x, (8, 8, 3, 3), pads=[1] * 4, bias=False))


@quirk("uint8 weights with a zero point, differences within int8")
def uint8_weights() -> Network:
    net = Net(7)
    x = net.image(1, 3, 9, 9, zero=128, dtype="uint8")
    weight = net.weight((8, 3, 3, 3), per_channel=False, dtype="uint8", zero=128)
    bias = net.bias(8, X)
    return net.quantized(net.qdq(_conv(net, x, weight, 3, bias), 0.2, 110, "uint8"))


def _whole_range(net: Net, shape: tuple[int, ...], zero: int) -> str:
    codes = net.random.integers(0, 256, shape).astype(np.uint8)
    codes.reshape(-1)[:2] = 0, 255
    net.last_scale = np.array(0.01, np.float32)
    return net.node("DequantizeLinear", [net.constant(codes), net.constant(np.float32(0.01)), net.constant(np.uint8(zero))])


@quirk("uint8 weights over their whole range with zero point 151: differences of 9 bits (old TFLite)")
def uint8_weights_of_nine_bits() -> Network:
    net = Net(8)
    x = net.image(1, 3, 9, 9, zero=128, dtype="uint8")
    weight = _whole_range(net, (8, 3, 3, 3), 151)
    return net.quantized(net.qdq(_conv(net, x, weight, 3, net.bias(8, X)), 0.2, 110, "uint8"))


@quirk("depthwise uint8 weights over their whole range with zero point 100 (old MobileNets)")
def depthwise_weights_of_nine_bits() -> Network:
    net = Net(9)
    x = net.image(1, 6, 9, 9, zero=3, dtype="uint8")
    weight = _whole_range(net, (6, 1, 3, 3), 100)
    value = net.node("Conv", [x, weight, net.bias(6, X)], kernel_shape=[3, 3], group=6, pads=[1] * 4)
    return net.quantized(net.qdq(value, 0.08, 0, "uint8"))


@quirk("a fully connected layer with uint8 weights over their whole range")
def dense_weights_of_nine_bits() -> Network:
    net = Net(10)
    x = net.image(1, 40, zero=128, dtype="uint8")
    weight = _whole_range(net, (40, 7), 140)
    return net.quantized(net.qdq(net.node("Gemm", [x, weight, net.bias(7, X)]), 0.3, 128, "uint8"))


@quirk("int8 weights with a zero point other than 0")
def int8_weights_with_zero_point() -> Network:
    net = Net(11)
    codes = net.random.integers(-100, 100, (8, 3, 3, 3)).astype(np.int8)
    net.last_scale = np.array(0.01, np.float32)
    weight = net.node("DequantizeLinear", [net.constant(codes), net.constant(np.float32(0.01)), net.constant(np.int8(-20))])
    return net.quantized(net.qdq(_conv(net, net.image(1, 3, 9, 9), weight, 3, net.bias(8, X)), 0.2, 0))


@quirk("weight codes of -128, which symmetric quantizers leave out")
def weight_codes_of_minus_128() -> Network:
    net = Net(12)
    codes = net.random.choice(np.array([-128, -127, 127], np.int8), (8, 3, 3, 3))
    net.last_scale = np.array(0.01, np.float32)
    weight = net.node("DequantizeLinear", [net.constant(codes), net.constant(np.float32(0.01)), net.constant(np.int8(0))])
    return net.quantized(net.qdq(_conv(net, net.image(1, 3, 9, 9, zero=-128), weight, 3, net.bias(8, X)), 0.4, 0))


@quirk("float weights through QuantizeLinear and DequantizeLinear (TensorRT, ModelOpt)")
def weights_quantized_in_the_graph() -> Network:
    net = Net(13)
    parameters = [net.constant(np.full(8, 0.005, np.float32)), net.constant(np.zeros(8, np.int8))]
    codes = net.node("QuantizeLinear", [net.values((8, 3, 3, 3), 0.2), *parameters], axis=0)
    weight = net.node("DequantizeLinear", [codes, *parameters], axis=0)
    return net.quantized(net.qdq(_conv(net, net.image(1, 3, 9, 9), weight, 3, net.values([8])), 0.05, 0))


@quirk("float weights quantized, clipped to -127 … 127 and dequantized (Brevitas)")
def weights_clipped_in_the_graph() -> Network:
    net = Net(14)
    parameters = [net.constant(np.float32(0.003)), net.constant(np.int8(0))]
    codes = net.node("QuantizeLinear", [net.values((8, 3, 3, 3), 0.2), *parameters])
    clipped = net.node("Clip", [codes, net.constant(np.int8(-127)), net.constant(np.int8(127))])
    weight = net.node("DequantizeLinear", [clipped, *parameters])
    return net.quantized(net.qdq(_conv(net, net.image(1, 3, 9, 9), weight, 3, net.values([8])), 0.05, 0))


@quirk("a negative axis of weight scales")
def negative_axis() -> Network:
    net = Net(15)
    x = net.conv_layer(net.image(1, 3, 4, 4), (4, 3, 1, 1))
    codes, scale = net.random.integers(-127, 128, (64, 10)).astype(np.int8), net.random.uniform(0.002, 0.02, 10)
    inputs = [net.constant(codes), net.constant(scale.astype(np.float32)), net.constant(np.zeros(10, np.int8))]
    weight = net.node("DequantizeLinear", inputs, axis=-1)
    return net.quantized(net.qdq(net.node("MatMul", [net.same("Flatten", x), weight]), 0.5, 0))


@quirk("one weight and its DequantizeLinear shared by two layers with inputs of different scale")
def shared_weight() -> Network:
    net = Net(16)
    x = net.image(1, 4, 10, 10)
    weight = net.weight((4, 4, 3, 3))
    y = net.qdq(_conv(net, x, weight, 3, net.bias(4, X)), 0.15, -10)
    return net.quantized(net.qdq(_conv(net, y, weight, 3, net.bias(4, 0.15)), 0.4, 6))


@quirk("weights that are all zero, in one channel and in a whole layer")
def zero_weights() -> Network:
    net = Net(17)
    codes = net.random.integers(-127, 128, (6, 3, 3, 3)).astype(np.int8)
    codes[2] = 0
    scale = np.full(6, 0.01, np.float32)
    scale[2] = 1e-8  # what a quantizer gives an empty range
    net.last_scale = scale
    weight = net.node("DequantizeLinear", [net.constant(codes), net.constant(scale), net.constant(np.zeros(6, np.int8))], axis=0)
    y = net.qdq(_conv(net, net.image(1, 3, 8, 8), weight, 3), 0.1, 0)
    net.last_scale = np.array(1, np.float32)
    nothing = net.node("DequantizeLinear", [net.constant(np.zeros((4, 6, 1, 1), np.int8)), net.constant(np.float32(1)),
                                            net.constant(np.int8(0))])  # fmt: skip
    return net.quantized(net.qdq(_conv(net, y, nothing, 1, net.bias(4, 0.1)), 3.0, 0))
