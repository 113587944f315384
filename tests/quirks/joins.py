"""Where branches meet: Concat and residual connections."""

from tests.quirks.net import Net, X
from tests.quirks.registry import Network, quirk

__all__: list[str] = []


@quirk("Inception: Concat of four branches with unequal scales and zero points")
def concat_unequal() -> Network:
    net = Net()
    x = net.conv_layer(net.image(1, 3, 8, 8), (6, 3, 3, 3), pads=[1] * 4, relu=True, zero=-128)
    pooled = net.same("MaxPool", x, -128, kernel_shape=[3, 3], pads=[1] * 4)
    branches = [
        net.conv_layer(x, (5, 6, 1, 1), zero=3),
        net.conv_layer(x, (7, 6, 3, 3), pads=[1] * 4, zero=-20),
        net.conv_layer(pooled, (2, 6, 1, 1), relu=True, zero=-128),
        pooled,
    ]
    y = net.qdq(net.node("Concat", branches, axis=1), 0.6, -30)
    return net.quantized(net.conv_layer(y, (4, 20, 1, 1)))


@quirk("Concat of Concats")
def concat_nested() -> Network:
    net = Net(1)
    x = net.image(1, 3, 7, 7)
    a, b, c = (net.conv_layer(x, (count, 3, 1, 1), zero=zero) for count, zero in ((4, 0), (3, 7), (5, -128)))
    inner = net.qdq(net.node("Concat", [a, b], axis=1), net.scales[a], 0)
    outer = net.qdq(net.node("Concat", [inner, c, inner], axis=1), net.scales[a] * 1.5, -3)
    return net.quantized(net.conv_layer(outer, (4, 19, 3, 3)), inner)


@quirk("Concat of one tensor with itself")
def concat_twice_the_same() -> Network:
    net = Net(2)
    x = net.conv_layer(net.image(1, 3, 8, 8), (4, 3, 3, 3), zero=4)
    y = net.qdq(net.node("Concat", [x, x], axis=1), net.scales[x], 4)
    return net.quantized(net.conv_layer(y, (4, 8, 3, 3)))


@quirk("Concat of the network's input with a layer's result (DenseNet)")
def concat_with_input() -> Network:
    net = Net(3)
    x = net.image(1, 3, 8, 8)
    for width in (3, 7, 11):
        grown = net.conv_layer(x, (4, width, 3, 3), pads=[1] * 4, relu=True, zero=-128)
        x = net.qdq(net.node("Concat", [x, grown], axis=1), 0.1 * width / 3, -40)
    return net.quantized(x)


@quirk("Concat of two inputs of the network, of images and of vectors")
def concat_of_inputs() -> Network:
    net = Net(4)
    a, b = net.image(1, 2, 6, 6, name="left"), net.image(1, 3, 6, 6, name="right", scale=0.05)
    x = net.conv_layer(net.qdq(net.node("Concat", [a, b], axis=1), 0.05, 0), (4, 5, 3, 3))
    vector = net.image(1, 10, name="features")
    joined = net.qdq(net.node("Concat", [net.same("Flatten", x), vector], axis=1), net.scales[x], 0)
    return net.quantized(net.gemm_layer(joined, 74, 6))


@quirk("Concat along the height and along the width")
def concat_in_space() -> Network:
    net = Net(5)
    x = net.conv_layer(net.image(1, 3, 8, 8), (6, 3, 3, 3), zero=-128)
    y = net.same("MaxPool", x, -128, kernel_shape=[2, 1], strides=[2, 1])
    tall = net.qdq(net.node("Concat", [x, y], axis=2), net.scales[x], -128)
    wide = net.qdq(net.node("Concat", [tall, tall], axis=-1), net.scales[x], -128)
    return net.quantized(net.conv_layer(wide, (4, 6, 3, 3)))


@quirk("Concat without a pair behind it, then a convolution")
def concat_left_float() -> Network:
    net = Net(6)
    x = net.image(1, 3, 7, 7)
    a = net.qdq(net.conv(x, (4, 3, 1, 1), X), 0.1, -5)
    b = net.qdq(net.conv(x, (5, 3, 1, 1), X), 0.1, -5)
    joined = net.node("Concat", [a, b], axis=1)
    net.scales[joined] = 0.1
    return net.quantized(net.conv_layer(joined, (4, 9, 3, 3)))


@quirk("residual block: Add of a convolution and its own operand, Relu behind it")
def residual() -> Network:
    net = Net(7)
    x = net.conv_layer(net.image(1, 3, 8, 8), (6, 3, 3, 3), pads=[1] * 4, relu=True, zero=-128)
    y = net.conv_layer(x, (6, 6, 3, 3), pads=[1] * 4, zero=12)
    return net.quantized(net.qdq(net.node("Relu", [net.node("Add", [y, x])]), 0.3, -128))


@quirk("residual block where both sides are convolutions, and a Sum node")
def residual_of_two_convolutions() -> Network:
    net = Net(8)
    x = net.image(1, 4, 10, 10)
    left = net.conv_layer(x, (8, 4, 3, 3), strides=[2, 2], pads=[1] * 4, zero=-7)
    right = net.conv_layer(x, (8, 4, 1, 1), strides=[2, 2], zero=30)
    y = net.qdq(net.node("Add", [left, right]), 0.2, -10)
    return net.quantized(net.qdq(net.node("Add", [y, left]), 0.3, 0))


@quirk("Add of a tensor with itself")
def add_to_itself() -> Network:
    net = Net(9)
    x = net.conv_layer(net.image(1, 3, 7, 7), (5, 3, 1, 1), zero=-3)
    return net.quantized(net.qdq(net.node("Add", [x, x]), net.scales[x] * 2, 9))


@quirk("a residual value read again much later, across a change of scale")
def long_residual() -> Network:
    net = Net(10)
    start = x = net.conv_layer(net.image(1, 3, 8, 8), (5, 3, 1, 1), zero=2)
    for _ in range(4):
        x = net.conv_layer(x, (5, 5, 3, 3), pads=[1] * 4, relu=True, zero=-128)
    return net.quantized(net.qdq(net.node("Add", [start, x]), 40.0, -20), start)


@quirk("a float network with the sum of three branches")
def sum_of_three() -> Network:
    net = Net(11)
    x = net.input("x", ["N", 3, 8, 8])
    branches = [net.fconv(x, (4, 3, size, size), pads=[size // 2] * 4) for size in (1, 3, 5)]
    return net.floating(net.node("Relu", [net.node("Sum", branches)]))
