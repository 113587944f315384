"""Element-wise arithmetic: Add, Sub, Mul and Div, with broadcast and with constants."""

import numpy as np

from tests.quirks.net import Net, X
from tests.quirks.registry import Network, quirk

__all__: list[str] = []


def _gate(net: Net, x: str, channels: int, middle: int) -> str:
    """The gate of squeeze-and-excite, (1, channels, 1, 1) between 0 and 1."""
    y = net.qdq(net.node("GlobalAveragePool", [x]), net.scales[x] / 2, -128)
    y = net.conv_layer(y, (middle, channels, 1, 1), relu=True, zero=-128)
    y = net.conv_layer(y, (channels, middle, 1, 1), zero=10)
    return net.qdq(net.node("Sigmoid", [y]), 1 / 256, -128)


@quirk("squeeze-and-excite: Mul of an image with one value per channel")
def squeeze_and_excite() -> Network:
    net = Net()
    x = net.conv_layer(net.image(1, 3, 8, 8), (12, 3, 3, 3), relu=True, zero=-128)
    y = net.qdq(net.node("Mul", [x, _gate(net, x, 12, 4)]), net.scales[x], -128)
    return net.quantized(net.conv_layer(y, (6, 12, 1, 1)))


@quirk("squeeze-and-excite with the gate as the first operand, made by Gemm and Reshape")
def squeeze_and_excite_by_gemm() -> Network:
    net = Net(1)
    x = net.conv_layer(net.image(1, 3, 8, 8), (10, 3, 3, 3), relu=True, zero=-128)
    pooled = net.qdq(net.node("GlobalAveragePool", [x]), net.scales[x] / 2, -128)
    y = net.gemm_layer(net.same("Flatten", pooled, -128), 10, 3, zero=-4)
    y = net.qdq(net.node("Sigmoid", [net.gemm_layer(y, 3, 10)]), 1 / 256, -128)
    y = net.same("Reshape", y, -128, inputs=[net.shape(1, 10, 1, 1)])
    return net.quantized(net.qdq(net.node("Mul", [y, x]), net.scales[x] * 0.8, -128))


@quirk("spatial attention: Mul of an image with one value per pixel")
def spatial_attention() -> Network:
    net = Net(2)
    x = net.conv_layer(net.image(1, 3, 8, 8), (7, 3, 3, 3), relu=True, zero=-128)
    gate = net.qdq(net.node("Sigmoid", [net.conv_layer(x, (1, 7, 3, 3), pads=[1] * 4)]), 1 / 256, -128)
    return net.quantized(net.qdq(net.node("Mul", [x, gate]), net.scales[x], -128))


@quirk("residual with broadcast: image plus one value per channel")
def residual_with_broadcast() -> Network:
    net = Net(3)
    x = net.conv_layer(net.image(1, 3, 8, 8), (9, 3, 3, 3), zero=6)
    pooled = net.conv_layer(net.qdq(net.node("GlobalAveragePool", [x]), net.scales[x] / 4, 0), (9, 9, 1, 1))
    return net.quantized(net.qdq(net.node("Add", [x, pooled]), net.scales[x] * 1.5, -9))


@quirk("Sub of two tensors, both ways round")
def subtraction() -> Network:
    net = Net(4)
    x = net.image(1, 3, 7, 7)
    a, b = net.conv_layer(x, (5, 3, 1, 1), zero=8), net.conv_layer(x, (5, 3, 3, 3), pads=[1] * 4, zero=-50)
    return net.quantized(net.qdq(net.node("Sub", [a, b]), 0.2, 3), net.qdq(net.node("Sub", [b, a]), 0.15, -3))


@quirk("Mul of two tensors of equal shape, and of a tensor with itself")
def product() -> Network:
    net = Net(5)
    x = net.image(1, 3, 7, 7)
    a, b = net.conv_layer(x, (5, 3, 1, 1), zero=8), net.conv_layer(x, (5, 3, 3, 3), pads=[1] * 4, zero=-50)
    return net.quantized(net.qdq(net.node("Mul", [a, b]), 0.5, 3), net.qdq(net.node("Mul", [a, a]), 0.3, -128))


@quirk("Mul and Add with quantized constants per channel (a BatchNormalization left behind)")
def constant_per_channel() -> Network:
    net = Net(6)
    x = net.same("MaxPool", net.image(1, 5, 9, 9, zero=5), 5, kernel_shape=[2, 2])
    factor = net.weight((1, 5, 1, 1), per_channel=False)
    x = net.qdq(net.node("Mul", [x, factor]), 0.02, 3)
    offset = net.weight((5, 1, 1), per_channel=False)
    return net.quantized(net.qdq(net.node("Add", [x, offset]), 0.03, -20))


@quirk("Mul, Add and Sub with quantized scalars")
def constant_scalars() -> Network:
    net = Net(7)
    x = net.image(1, 3, 6, 6, zero=5)
    for op, value, scale, zero in (("Mul", 100, 0.025, 0), ("Add", 90, 0.03, 12), ("Sub", 30, 0.03, -9)):
        constant = net.dequantize(net.constant(np.int8(value)), 0.01, 0)
        x = net.qdq(net.node(op, [x, constant]), scale, zero)
    return net.quantized(x)


@quirk("Div by a quantized scalar")
def division_by_constant() -> Network:
    net = Net(13)
    x = net.conv_layer(net.image(1, 3, 6, 6, zero=5), (4, 3, 3, 3), zero=-128)
    return net.quantized(net.qdq(net.node("Div", [x, net.dequantize(net.constant(np.int8(60)), 0.1, 0)]), net.scales[x] / 6, 1))


@quirk("normalization of the input in the graph: (x - mean) / std with quantized constants")
def normalization_of_the_input() -> Network:
    net = Net(8)
    x = net.codes(1, 3, 8, 8, scale=1 / 255, zero=0, dtype="uint8")
    mean = net.dequantize(net.constant(np.array([124, 116, 104], np.uint8).reshape(1, 3, 1, 1)), 1 / 255, 0, "uint8")
    x = net.qdq(net.node("Sub", [x, mean]), 1.2345 / 255, 128, "uint8")
    std = net.dequantize(net.constant(np.array([229, 224, 225], np.uint8).reshape(1, 3, 1, 1)), 0.02, 0, "uint8")
    x = net.qdq(net.node("Mul", [x, std]), 0.022, 128, "uint8")
    return net.quantized(net.conv_layer(x, (6, 3, 3, 3), zero=0, dtype="uint8"))


@quirk("a float network that normalizes its input and scales its output by constants")
def float_constants() -> Network:
    net = Net(9)
    x = net.input("x", ["N", 3, 8, 8])
    x = net.node("Sub", [x, net.constant(np.array([0.4, 0.5, 0.3], np.float32).reshape(1, 3, 1, 1))])
    x = net.node("Div", [x, net.constant(np.array([0.2, 0.25, 0.22], np.float32).reshape(3, 1, 1))])
    x = net.fconv_relu(x, (6, 3, 3, 3))
    x = net.node("Mul", [x, net.constant(np.float32(0.5))])
    return net.floating(net.node("Add", [x, net.constant(np.float32(0.25))]))


@quirk("a constant image added (position embedding)")
def constant_image() -> Network:
    net = Net(10)
    x = net.conv_layer(net.image(1, 3, 8, 8), (6, 3, 3, 3), zero=-7)
    return net.quantized(net.qdq(net.node("Add", [net.weight((1, 6, 6, 6), per_channel=False), x]), 0.2, 0))


@quirk("1 - x and 2 * x, with the constant on the left")
def constant_on_the_left() -> Network:
    net = Net(11)
    x = net.qdq(net.node("Sigmoid", [net.image(1, 4, 6, 6)]), 1 / 256, -128)
    one = net.dequantize(net.constant(np.int8(127)), 1 / 127, 0)
    y = net.qdq(net.node("Sub", [one, x]), 1 / 256, -128)
    two = net.dequantize(net.constant(np.int8(100)), 0.02, 0)
    return net.quantized(net.qdq(net.node("Mul", [two, y]), 1 / 128, -128))


@quirk("Add of vectors and of a vector with a constant behind a fully connected layer")
def vectors() -> Network:
    net = Net(12)
    x = net.image(1, 20)
    a, b = net.gemm_layer(x, 20, 9, zero=3), net.gemm_layer(x, 20, 9, zero=-60)
    y = net.qdq(net.node("Add", [a, b]), X * 6, 0)
    return net.quantized(net.qdq(net.node("Mul", [y, net.weight((9,), per_channel=False)]), 0.05, 0))
