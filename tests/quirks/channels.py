"""Channel counts and groups."""

from tests.quirks.net import Net
from tests.quirks.registry import Network, quirk

__all__: list[str] = []


@quirk("255 channels, as the heads of YOLO have")
def channels_255() -> Network:
    net = Net()
    x = net.conv_layer(net.image(1, 16, 4, 4), (255, 16, 1, 1))
    return net.quantized(net.conv_layer(x, (5, 255, 1, 1)))


@quirk("one channel everywhere")
def channels_1() -> Network:
    net = Net(1)
    x = net.conv_layer(net.image(1, 1, 9, 9), (1, 1, 3, 3), zero=-128)
    return net.quantized(net.same("MaxPool", net.conv_layer(x, (1, 1, 3, 3), zero=5), 5, kernel_shape=[2, 2]))


@quirk("odd channel counts: 3, 5, 7, 11")
def channels_odd() -> Network:
    net = Net(2)
    x = net.image(1, 3, 10, 10)
    for channels, before in ((5, 3), (7, 5), (11, 7)):
        x = net.conv_layer(x, (channels, before, 3, 3), relu=True, zero=-128)
    return net.quantized(x)


@quirk("convolutions in 2 and in 3 groups with odd channels in each")
def groups() -> Network:
    net = Net(3)
    x = net.conv_layer(net.image(1, 6, 9, 9), (10, 3, 3, 3), group=2, relu=True, zero=-128)
    x = net.conv_layer(x, (9, 10, 1, 1))
    return net.quantized(net.conv_layer(x, (15, 3, 3, 3), group=3))


@quirk("MobileNet: depthwise and pointwise, stride 2, TF SAME")
def depthwise() -> Network:
    net = Net(4)
    x = net.conv_layer(net.image(1, 3, 12, 12), (8, 3, 3, 3), pads=[0, 0, 1, 1], strides=[2, 2], relu=True, zero=-128)
    for channels, stride in ((16, 1), (12, 2)):
        before = 8 if channels == 16 else 16
        pads = [1] * 4 if stride == 1 else [0, 0, 1, 1]
        x = net.conv_layer(x, (before, 1, 3, 3), group=before, pads=pads, strides=[stride] * 2, relu=True, zero=-128)
        x = net.conv_layer(x, (channels, before, 1, 1), relu=True, zero=-128)
    return net.quantized(x)


@quirk("depthwise with multiplier 2, from 3 channels and from 1")
def depthwise_multiplier() -> Network:
    net = Net(5)
    x = net.conv_layer(net.image(1, 3, 9, 9), (6, 1, 3, 3), group=3, pads=[1] * 4)
    y = net.conv_layer(net.image(1, 1, 9, 9, name="gray"), (8, 1, 3, 3), group=1)
    return net.quantized(net.conv_layer(x, (12, 1, 3, 3), group=6, strides=[2, 2]), y)


@quirk("depthwise with one weight scale for all channels")
def depthwise_per_tensor() -> Network:
    net = Net(6)
    x = net.image(1, 10, 9, 9, zero=-128)
    return net.quantized(net.conv_layer(x, (10, 1, 3, 3), group=10, pads=[1] * 4, per_channel=False, zero=-4))


@quirk("MobileNetV2: expansion, depthwise, linear projection, residual")
def inverted_residual() -> Network:
    net = Net(7)
    x = net.conv_layer(net.image(1, 3, 9, 9), (6, 3, 1, 1), zero=9)
    y = net.conv_layer(x, (18, 6, 1, 1), relu=True, zero=-128)
    y = net.conv_layer(y, (18, 1, 3, 3), group=18, pads=[1] * 4, relu=True, zero=-128)
    y = net.conv_layer(y, (6, 18, 1, 1), zero=-2)
    return net.quantized(net.qdq(net.node("Add", [x, y]), 0.4, 3))


@quirk("ShuffleNet: grouped convolution, channel shuffle by Reshape-Transpose-Reshape")
def channel_shuffle() -> Network:
    net = Net(8)
    x = net.conv_layer(net.image(1, 6, 8, 8), (12, 3, 1, 1), group=2, relu=True, zero=-128)
    x = net.same("Reshape", x, -128, inputs=[net.shape(1, 2, 6, 8, 8)])
    x = net.same("Transpose", x, -128, perm=[0, 2, 1, 3, 4])
    x = net.same("Reshape", x, -128, inputs=[net.shape(1, -1, 8, 8)])
    return net.quantized(net.conv_layer(x, (12, 1, 3, 3), group=12, pads=[1] * 4))


@quirk("a channel shuffle without pairs between its three nodes, in 3 groups")
def channel_shuffle_left_float() -> Network:
    net = Net(9)
    x = net.conv_layer(net.image(1, 6, 6, 6), (12, 2, 1, 1), group=3, relu=True, zero=-128)
    y = net.node("Reshape", [x, net.shape(1, 3, 4, 6, 6)])
    y = net.node("Transpose", [y], perm=[0, 2, 1, 3, 4])
    y = net.node("Reshape", [y, net.shape(1, 12, 6, 6)])
    y = net.qdq(y, net.scales[x], -128)
    return net.quantized(net.conv_layer(y, (9, 4, 3, 3), group=3))
