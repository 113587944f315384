"""Quantize- and DequantizeLinear of activations: where exporters put them, with which types, scales and zero points."""

import numpy as np

from tests.quirks.net import Net, X
from tests.quirks.registry import Network, quirk

__all__: list[str] = []


@quirk("Relu left between two Quantize/Dequantize pairs of different scale")
def relu_between_pairs() -> Network:
    net = Net()
    x = net.conv_layer(net.image(1, 3, 10, 10), (8, 3, 3, 3), zero=11)
    x = net.qdq(net.node("Relu", [x]), net.scales[x] * 0.5, -128)
    return net.quantized(net.conv_layer(x, (8, 8, 3, 3)))


@quirk("Relu between two pairs of the same scale and zero point")
def relu_between_equal_pairs() -> Network:
    net = Net(1)
    x = net.same("Relu", net.conv_layer(net.image(1, 3, 10, 10), (8, 3, 3, 3), zero=-5), -5)
    return net.quantized(net.conv_layer(x, (8, 8, 3, 3)))


@quirk("Relu folded by the exporter into zero point -128")
def relu_in_zero_point() -> Network:
    net = Net(2)
    x = net.conv_layer(net.image(1, 3, 10, 10), (8, 3, 3, 3), zero=-128)
    return net.quantized(net.conv_layer(x, (8, 8, 3, 3), zero=-128))


@quirk("uint8 activations all the way, Relu folded into zero point 0")
def uint8_activations() -> Network:
    net = Net(3)
    x = net.image(1, 3, 10, 10, zero=121, dtype="uint8")
    x = net.conv_layer(x, (8, 3, 3, 3), zero=0, dtype="uint8")
    left = net.conv_layer(x, (8, 8, 3, 3), pads=[1] * 4, zero=140, dtype="uint8")
    return net.quantized(net.qdq(net.node("Add", [left, x]), 0.2, 100, "uint8"))


@quirk("int8 input and output, as a full-integer TFLite model")
def int8_ports() -> Network:
    net = Net(4)
    x = net.conv_layer(net.codes(1, 3, 8, 8, zero=-128), (8, 3, 3, 3), zero=-128)
    flat = net.same("Flatten", net.same("MaxPool", x, -128, kernel_shape=[2, 2], strides=[2, 2]), -128)
    y = net.quantize(net.gemm_layer(flat, 72, 10), 0.5, 4)
    return net.quantized(y, dtype="int8")


@quirk("uint8 input and output: camera bytes")
def uint8_ports() -> Network:
    net = Net(5)
    x = net.codes(1, 3, 8, 8, scale=1 / 255, zero=0, dtype="uint8")
    value = net.conv(x, (4, 3, 3, 3), 1 / 255)
    return net.quantized(net.quantize(value, 0.03, 120, "uint8"), dtype="uint8")


@quirk("zero points at both ends of the codes, -128 and 127")
def zero_points_at_the_ends() -> Network:
    net = Net(6)
    x = net.conv_layer(net.image(1, 3, 9, 9, zero=127), (8, 3, 3, 3), pads=[1] * 4, zero=127)
    x = net.conv_layer(x, (8, 8, 3, 3), pads=[2] * 4, zero=-128)
    return net.quantized(net.conv_layer(x, (4, 8, 3, 3), zero=127))


@quirk("layers whose results saturate nearly always, at either end")
def saturated() -> Network:
    net = Net(7)
    x = net.image(1, 3, 9, 9)
    y = net.qdq(net.conv(x, (8, 3, 3, 3), X), 1e-4, 0)
    return net.quantized(net.qdq(net.conv(y, (8, 8, 3, 3), 1e-4), 1e-7, -128))


@quirk("scales that lie far apart: 1e-6 and 5e4")
def scales_far_apart() -> Network:
    net = Net(8)
    tiny = net.conv_layer(net.codes(1, 3, 9, 9, scale=1e-6, name="tiny"), (6, 3, 3, 3), zero=5)
    huge = net.conv_layer(net.codes(1, 3, 9, 9, scale=5e4, name="huge"), (6, 3, 3, 3), zero=-7)
    mixed = net.qdq(net.conv(huge, (6, 6, 3, 3), net.scales[huge]), 10.0, 1)
    return net.quantized(tiny, huge, mixed, net.qdq(tiny, 1e-7, 0))


@quirk("Quantize- and DequantizeLinear without a zero point: uint8 with 0")
def zero_point_left_out() -> Network:
    net = Net(9)
    scale = net.constant(np.float32(X))
    x = net.node("DequantizeLinear", [net.node("QuantizeLinear", [net.input("x", [1, 3, 8, 8]), scale]), scale])
    net.scales[x] = X
    return net.quantized(net.conv_layer(x, (4, 3, 3, 3), zero=128, dtype="uint8"))


@quirk("scales and zero points as vectors of one element (TFLite converters)")
def scales_of_one_element() -> Network:
    net = Net(10)
    parameters = [net.constant(np.array([X], np.float32)), net.constant(np.array([-3], np.int8))]
    codes = net.node("QuantizeLinear", [net.input("x", [1, 3, 8, 8]), *parameters], axis=0)
    x = net.node("DequantizeLinear", [codes, *parameters], axis=0)
    net.scales[x] = X
    return net.quantized(net.conv_layer(x, (4, 3, 3, 3), zero=-128))


@quirk("one DequantizeLinear read by three layers, and its codes by another DequantizeLinear")
def shared_dequantize() -> Network:
    net = Net(11)
    codes = net.quantize(net.conv(net.image(1, 3, 8, 8), (8, 3, 3, 3), X), 0.1, -128)
    one, two = (net.dequantize(codes, 0.1, -128) for _ in range(2))
    a, b = net.conv_layer(one, (8, 8, 1, 1)), net.conv_layer(two, (8, 8, 3, 3), pads=[1] * 4)
    pooled = net.same("MaxPool", one, -128, kernel_shape=[3, 3], pads=[1] * 4)
    return net.quantized(net.qdq(net.node("Add", [a, b]), 0.3, 4), net.qdq(net.node("Add", [pooled, one]), 0.2, -128))


@quirk("a value requantized twice in a row: int8 to uint8 to int8, each with its own scale")
def requantized_in_a_row() -> Network:
    net = Net(12)
    x = net.qdq(net.image(1, 3, 8, 8, zero=-9), 0.05, 100, "uint8")
    x = net.qdq(x, 0.02, 17)
    return net.quantized(net.conv_layer(x, (4, 3, 3, 3)))


@quirk("Clip(0, 6) in front of QuantizeLinear, bounds as initializers")
def relu6() -> Network:
    net = Net(13)
    bounds = [net.constant(np.float32(0)), net.constant(np.float32(6))]
    x = net.image(1, 3, 9, 9)
    y = net.qdq(net.node("Clip", [net.conv(x, (8, 3, 3, 3), X), *bounds]), 6 / 255, -128)
    z = net.qdq(net.node("Clip", [net.conv(y, (8, 8, 3, 3), 6 / 255), *bounds]), 0.1, -100)
    return net.quantized(net.conv_layer(z, (8, 8, 1, 1)))


@quirk("Relu on both sides of a quantized MaxPool, and a Relu twice")
def relu_twice() -> Network:
    net = Net(14)
    x = net.node("Relu", [net.node("Relu", [net.conv(net.image(1, 3, 10, 10), (8, 3, 3, 3), X)])])
    x = net.qdq(x, 0.08, -128)
    x = net.same("MaxPool", net.same("Relu", x, -128), -128, kernel_shape=[2, 2], strides=[2, 2])
    return net.quantized(net.same("Relu", x, -128))


@quirk("max pooling without a Quantize/Dequantize pair behind it")
def max_pool_left_float() -> Network:
    net = Net(15)
    x = net.conv_layer(net.image(1, 3, 10, 10), (8, 3, 3, 3), relu=True, zero=-128)
    pooled = net.node("MaxPool", [x], kernel_shape=[2, 2], strides=[2, 2])
    net.scales[pooled] = net.scales[x]
    return net.quantized(net.conv_layer(pooled, (8, 8, 3, 3)))


@quirk("narrow-range codes: Clip between QuantizeLinear and DequantizeLinear (Brevitas)")
def clipped_codes() -> Network:
    net = Net(16)
    bounds = [net.constant(np.int8(-127)), net.constant(np.int8(127))]
    x = net.dequantize(net.node("Clip", [net.quantize(net.input("x", [1, 3, 8, 8]), X, 0), *bounds]), X, 0)
    value = net.conv(x, (6, 3, 3, 3), X)
    y = net.dequantize(net.node("Clip", [net.quantize(value, 0.06, 0), *bounds]), 0.06, 0)
    return net.quantized(net.conv_layer(y, (4, 6, 3, 3)))


@quirk("activations of 4 bits kept in int8 by Clip(-8, 7) (Brevitas)")
def four_bit_codes() -> Network:
    net = Net(17)
    bounds = [net.constant(np.int8(-8)), net.constant(np.int8(7))]
    value = net.node("Relu", [net.conv(net.image(1, 3, 8, 8), (6, 3, 3, 3), X)])
    y = net.dequantize(net.node("Clip", [net.quantize(value, 1.1, 0), *bounds]), 1.1, 0)
    return net.quantized(net.conv_layer(y, (4, 6, 3, 3)))
