"""Sizes of kernels, strides, dilations and images; one-dimensional convolutions."""

from tests.quirks.net import Net
from tests.quirks.registry import Network, quirk

__all__: list[str] = []


@quirk("dilation 2, 3 and 5, alone and in one direction")
def dilations() -> Network:
    net = Net()
    x = net.image(1, 3, 20, 20)
    x = net.conv_layer(x, (5, 3, 3, 3), dilations=[2, 2], pads=[2] * 4, relu=True, zero=-128)
    x = net.conv_layer(x, (5, 5, 3, 3), dilations=[1, 3])
    return net.quantized(net.conv_layer(x, (4, 5, 3, 3), dilations=[5, 5]))


@quirk("a kernel of 10 × 8 at stride 2 × 2, TF SAME (keyword spotting)")
def kernel_10x8() -> Network:
    net = Net(1)
    x = net.conv_layer(net.image(1, 1, 24, 10, zero=83), (8, 1, 10, 8), strides=[2, 2], pads=[4, 3, 4, 3], relu=True, zero=-128)
    return net.quantized(net.conv_layer(x, (8, 1, 3, 3), group=8, pads=[1] * 4))


@quirk("a depthwise kernel of 15 × 1 (audio)")
def kernel_15x1() -> Network:
    net = Net(2)
    x = net.conv_layer(net.image(1, 6, 24, 1), (6, 1, 15, 1), group=6, pads=[7, 0, 7, 0])
    return net.quantized(net.conv_layer(x, (8, 6, 1, 1), relu=True, zero=-128))


@quirk("a kernel of 1 × 15 with dilation 1 × 2 and stride 1 × 2")
def kernel_1x15() -> Network:
    net = Net(3)
    x = net.image(1, 4, 1, 24)
    y = net.conv_layer(x, (6, 4, 1, 15), pads=[0, 7, 0, 7], strides=[1, 2])
    return net.quantized(y, net.conv_layer(x, (4, 1, 1, 9), group=4, dilations=[1, 2], pads=[0, 8, 0, 8]))


@quirk("1 × 1 at stride 2, the shortcut of ResNets; stride 3 beyond a kernel of 2")
def stride_beyond_kernel() -> Network:
    net = Net(4)
    x = net.image(1, 6, 11, 11)
    short = net.conv_layer(x, (8, 6, 1, 1), strides=[2, 2])
    return net.quantized(short, net.conv_layer(x, (8, 6, 2, 2), strides=[3, 3]))


@quirk("different strides in height and width")
def unequal_strides() -> Network:
    net = Net(5)
    x = net.conv_layer(net.image(1, 3, 16, 9), (6, 3, 3, 3), strides=[2, 1], pads=[1] * 4, relu=True, zero=-128)
    return net.quantized(net.conv_layer(x, (6, 6, 2, 4), strides=[1, 3]))


@quirk("a kernel as large as the image: a fully connected layer in disguise")
def kernel_of_the_image() -> Network:
    net = Net(6)
    x = net.conv_layer(net.image(1, 3, 9, 7), (6, 3, 3, 3), relu=True, zero=-128)
    return net.quantized(net.conv_layer(x, (10, 6, 7, 5)))


@quirk("images of 1 × 1 pixel through 3 × 3 kernels")
def image_1x1() -> Network:
    net = Net(7)
    x = net.conv_layer(net.image(1, 12, 1, 1), (8, 12, 3, 3), pads=[1] * 4, relu=True, zero=-128)
    x = net.same("MaxPool", x, -128, kernel_shape=[3, 3], pads=[1] * 4)
    return net.quantized(net.conv_layer(x, (5, 8, 1, 1)))


@quirk("images of one row and of one column")
def image_of_one_row() -> Network:
    net = Net(8)
    row = net.conv_layer(net.image(1, 3, 1, 23, name="row"), (5, 3, 3, 3), pads=[1] * 4, relu=True, zero=-128)
    column = net.conv_layer(net.image(1, 3, 23, 1, name="column"), (5, 3, 5, 1), strides=[2, 1])
    return net.quantized(row, column)


@quirk("one-dimensional convolutions: rank 3, groups, dilation, MaxPool")
def conv_1d() -> Network:
    net = Net(9)
    x = net.conv_layer(net.image(1, 4, 24), (8, 4, 5), pads=[2, 2], relu=True, zero=-128)
    x = net.same("MaxPool", x, -128, kernel_shape=[2], strides=[2])
    x = net.conv_layer(x, (8, 1, 3), group=8, dilations=[2], relu=True, zero=-128)
    x = net.conv_layer(x, (6, 8, 1))
    return net.quantized(net.gemm_layer(net.same("Flatten", x), 48, 5))


@quirk("a float one-dimensional network with BatchNormalization and global pooling")
def conv_1d_float() -> Network:
    net = Net(10)
    x = net.input("x", ["batch", 2, 24])
    x = net.node("Relu", [net.normalize(net.fconv(x, (8, 2, 7), strides=[2], pads=[3, 3], bias=False), 8)])
    x = net.fconv_relu(x, (8, 8, 3), pads=[1, 1])
    x = net.node("Flatten", [net.node("GlobalAveragePool", [x])])
    return net.floating(net.fgemm(x, 8, 4))


@quirk("Conv1D of Keras: the image made two-dimensional by Unsqueeze and Squeeze")
def conv_1d_as_2d() -> Network:
    net = Net(11)
    x = net.input("x", ["N", 24, 4])
    x = net.node("Unsqueeze", [net.node("Transpose", [x], perm=[0, 2, 1]), net.shape(2)])
    x = net.node("Squeeze", [net.fconv(x, (8, 4, 1, 5)), net.shape(2)])
    x = net.node("Relu", [net.node("Transpose", [x], perm=[0, 2, 1])])
    return net.floating(net.node("Transpose", [x], perm=[0, 2, 1]))
