"""Channels-last graphs: leading and trailing Transpose, islands in between."""

from tests.quirks.net import Net
from tests.quirks.registry import Network, quirk

__all__: list[str] = []

TO_NCHW, TO_NHWC = [0, 3, 1, 2], [0, 2, 3, 1]


@quirk("NHWC input with a leading Transpose, NHWC output")
def nhwc_ports() -> Network:
    net = Net()
    x = net.same("Transpose", net.image(1, 8, 9, 3), perm=TO_NCHW)
    x = net.conv_layer(x, (6, 3, 3, 3), strides=[2, 2], pads=[0, 0, 1, 1], relu=True, zero=-128)
    return net.quantized(net.same("Transpose", x, -128, perm=TO_NHWC))


@quirk("a Transpose in front of QuantizeLinear (Keras through tf2onnx)")
def nhwc_float_transpose() -> Network:
    net = Net(1)
    x = net.node("Transpose", [net.input("x", ["N", 8, 8, 3])], perm=TO_NCHW)
    x = net.fconv_relu(x, (6, 3, 3, 3), auto_pad="SAME_UPPER", strides=[2, 2])
    x = net.node("Reshape", [net.node("Transpose", [x], perm=TO_NHWC), net.shape(-1, 96)])
    return net.floating(net.fgemm(x, 96, 4))


@quirk("int8 NHWC input whose Transpose works on the codes")
def nhwc_codes() -> Network:
    net = Net(2)
    codes = net.node("Transpose", [net.input("x", [1, 8, 8, 3], "int8")], perm=TO_NCHW)
    return net.quantized(net.conv_layer(net.dequantize(codes, 0.03, -7), (6, 3, 3, 3)))


@quirk("an NHWC image through Reshape instead of Transpose: one channel")
def nhwc_by_reshape() -> Network:
    net = Net(3)
    x = net.node("Reshape", [net.input("x", ["N", 12, 10, 1]), net.shape(-1, 1, 12, 10)])
    return net.floating(net.fconv_relu(x, (6, 1, 3, 3)))


@quirk("NHWC islands: pointwise operators between two Transposes")
def nhwc_island() -> Network:
    net = Net(4)
    x = net.conv_layer(net.image(1, 3, 8, 8), (6, 3, 3, 3), zero=9)
    y = net.same("Transpose", x, 9, perm=TO_NHWC)
    y = net.qdq(net.node("Relu", [y]), net.scales[x] / 2, -128)
    y = net.qdq(net.node("Add", [y, y]), net.scales[x], -128)
    y = net.same("Transpose", y, -128, perm=TO_NCHW)
    return net.quantized(net.conv_layer(y, (4, 6, 3, 3)))


@quirk("an island with a constant per channel, last axis")
def nhwc_island_with_constant() -> Network:
    net = Net(5)
    x = net.fconv(net.input("x", ["N", 3, 8, 8]), (6, 3, 3, 3), bias=False)
    y = net.node("Transpose", [x], perm=TO_NHWC)
    y = net.node("Relu", [net.node("Add", [y, net.values([6])])])
    return net.floating(net.fconv(net.node("Transpose", [y], perm=TO_NCHW), (4, 6, 1, 1)))


@quirk("a residual connection between an NCHW and an NHWC value, and Concat on the last axis")
def nhwc_joins() -> Network:
    net = Net(6)
    x = net.same("Transpose", net.image(1, 8, 8, 4), perm=TO_NCHW)
    y = net.conv_layer(x, (4, 4, 3, 3), pads=[1] * 4, zero=5)
    y_last = net.same("Transpose", y, 5, perm=TO_NHWC)
    x_last = net.same("Transpose", x, perm=TO_NHWC)
    total = net.qdq(net.node("Add", [y_last, x_last]), 0.15, 0)
    joined = net.qdq(net.node("Concat", [total, x_last], axis=3), 0.15, 0)
    return net.quantized(net.conv_layer(net.same("Transpose", joined, perm=TO_NCHW), (4, 8, 1, 1)))


@quirk("ReduceMean over axes 1 and 2 of an NHWC value")
def nhwc_mean() -> Network:
    net = Net(7, opset=13)
    x = net.fconv_relu(net.node("Transpose", [net.input("x", ["N", 8, 8, 3])], perm=TO_NCHW), (6, 3, 3, 3))
    mean = net.node("ReduceMean", [net.node("Transpose", [x], perm=TO_NHWC)], axes=[1, 2], keepdims=0)
    return net.floating(net.fgemm(mean, 6, 4))


@quirk("two Transposes in a row that cancel, and two that do not")
def transposes_in_a_row() -> Network:
    net = Net(8)
    x = net.image(1, 6, 5, 4)
    x = net.same("Transpose", net.same("Transpose", x, perm=TO_NHWC), perm=TO_NCHW)
    y = net.same("Transpose", net.same("Transpose", x, perm=[0, 3, 1, 2]), perm=[0, 2, 3, 1])
    y = net.same("Transpose", y, perm=[0, 1, 3, 2])
    return net.quantized(net.conv_layer(x, (3, 6, 3, 3)), net.conv_layer(y, (3, 6, 3, 3)))


@quirk("a transposed image: height and width exchanged between two convolutions")
def transposed_image() -> Network:
    net = Net(9)
    x = net.conv_layer(net.image(1, 3, 8, 6), (5, 3, 3, 3), zero=-128)
    return net.quantized(net.conv_layer(net.same("Transpose", x, -128, perm=[0, 1, 3, 2]), (4, 5, 3, 3)))


@quirk("rank-3 grayscale input made an image by Unsqueeze")
def grayscale_without_channel() -> Network:
    net = Net(10)
    x = net.node("Unsqueeze", [net.input("x", ["N", 10, 10]), net.shape(1)])
    return net.floating(net.fconv_relu(x, (6, 1, 3, 3)))
