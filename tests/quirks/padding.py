"""Padding as exporters write it: attributes, auto_pad, Pad nodes."""

import numpy as np

from tests.quirks.net import Net
from tests.quirks.registry import Network, quirk

__all__: list[str] = []


@quirk("TF SAME at stride 2: pads at the end only")
def end_only_pads() -> Network:
    net = Net()
    x = net.conv_layer(net.image(1, 3, 12, 12), (8, 3, 3, 3), strides=[2, 2], pads=[0, 0, 1, 1], relu=True, zero=-128)
    return net.quantized(net.conv_layer(x, (8, 8, 5, 5), strides=[2, 2], pads=[1, 1, 2, 2]))


@quirk("auto_pad SAME_UPPER at stride 2, odd and even sizes")
def auto_pad_same_upper() -> Network:
    net = Net(1)
    x = net.conv_layer(net.image(1, 3, 11, 12), (8, 3, 3, 3), strides=[2, 2], auto_pad="SAME_UPPER")
    return net.quantized(net.conv_layer(x, (4, 8, 4, 4), auto_pad="SAME_UPPER"))


@quirk("auto_pad SAME_LOWER with even kernels: more pads at the start")
def auto_pad_same_lower() -> Network:
    net = Net(2)
    x = net.conv_layer(net.image(1, 3, 12, 11), (8, 3, 4, 4), strides=[2, 2], auto_pad="SAME_LOWER")
    return net.quantized(net.conv_layer(x, (4, 8, 2, 2), auto_pad="SAME_LOWER"))


@quirk("auto_pad VALID and NOTSET")
def auto_pad_valid() -> Network:
    net = Net(3)
    x = net.conv_layer(net.image(1, 3, 12, 12), (8, 3, 3, 3), strides=[2, 2], auto_pad="VALID")
    return net.quantized(net.conv_layer(x, (4, 8, 3, 3), auto_pad="NOTSET", pads=[1, 0, 1, 2]))


@quirk("a Pad node in front of a convolution that pads too")
def pad_node() -> Network:
    net = Net(5)
    x = net.same("Pad", net.image(1, 3, 10, 10, zero=7), 7, inputs=[net.shape(0, 0, 1, 2, 0, 0, 0, 1)])
    return net.quantized(net.conv_layer(x, (8, 3, 3, 3), pads=[1, 1, 1, 1]))


@quirk("a Pad node at the start only (Keras correct_pad, ZeroPad2d((1, 0, 1, 0)))")
def pad_node_at_start() -> Network:
    net = Net(6)
    zero = net.constant(np.float32(0))
    x = net.same("Pad", net.image(1, 3, 12, 12), inputs=[net.shape(0, 0, 1, 1, 0, 0, 0, 0), zero])
    return net.quantized(net.conv_layer(x, (8, 3, 3, 3), strides=[2, 2], relu=True, zero=-128))


@quirk("a Pad node without a Quantize/Dequantize pair behind it")
def pad_node_left_float() -> Network:
    net = Net(7)
    x = net.image(1, 3, 10, 10, zero=-20)
    padded = net.node("Pad", [x, net.shape(0, 0, 2, 2, 0, 0, 2, 2)])
    net.scales[padded] = net.scales[x]
    return net.quantized(net.conv_layer(padded, (8, 3, 5, 5)))


@quirk("a Pad node of no pads at all")
def pad_of_nothing() -> Network:
    net = Net(8)
    x = net.same("Pad", net.image(1, 3, 8, 8), inputs=[net.shape(*[0] * 8)])
    return net.quantized(net.conv_layer(x, (4, 3, 3, 3)))


@quirk("ResNet's shortcut by strided Slice and channel Pad")
def channel_pad_shortcut() -> Network:
    net = Net(9)
    x = net.image(1, 6, 12, 12, zero=3)
    main = net.conv_layer(net.conv_layer(x, (12, 6, 3, 3), strides=[2, 2], pads=[1] * 4, relu=True, zero=-128), (12, 12, 3, 3),
                          pads=[1] * 4)  # fmt: skip
    sliced = net.same("Slice", x, 3, inputs=[net.shape(0, 0), net.shape(2**63 - 1, 2**63 - 1), net.shape(2, 3), net.shape(2, 2)])
    short = net.same("Pad", sliced, 3, inputs=[net.shape(0, 3, 0, 0, 0, 3, 0, 0)])
    return net.quantized(net.qdq(net.node("Relu", [net.node("Add", [main, short])]), 0.15, -128))


@quirk("reflection padding (style transfer, super resolution)")
def pad_reflect() -> Network:
    net = Net(10)
    x = net.same("Pad", net.image(1, 3, 9, 9, zero=5), 5, inputs=[net.shape(0, 0, 2, 2, 0, 0, 2, 2)], mode="reflect")
    return net.quantized(net.conv_layer(x, (6, 3, 5, 5)))


@quirk("replication padding")
def pad_edge() -> Network:
    net = Net(11)
    x = net.same("Pad", net.image(1, 3, 8, 8, zero=5), 5, inputs=[net.shape(0, 0, 1, 0, 0, 0, 2, 1)], mode="edge")
    return net.quantized(net.conv_layer(x, (6, 3, 3, 3)))


@quirk("a Pad node with a value other than 0")
def pad_value() -> Network:
    net = Net(12)
    x = net.same(
        "Pad", net.image(1, 3, 8, 8, zero=5), 5, inputs=[net.shape(0, 0, 1, 1, 0, 0, 1, 1), net.constant(np.float32(-1.5))]
    )
    return net.quantized(net.conv_layer(x, (6, 3, 3, 3)))


@quirk("negative pads: F.pad as a crop, mixed with padding on the other side")
def pad_negative() -> Network:
    net = Net(13)
    x = net.same("Pad", net.image(1, 3, 10, 10), inputs=[net.shape(0, 0, -1, 1, 0, 0, -2, 0)])
    return net.quantized(net.conv_layer(x, (6, 3, 3, 3)))


@quirk("Pad with attributes, as before opset 11 (Keras through old tf2onnx)")
def pad_attributes() -> Network:
    net = Net(14, opset=9)
    x = net.input("x", ["N", 3, 12, 12])
    padded = net.node("Pad", [x], mode="constant", pads=[0, 0, 0, 0, 0, 0, 1, 1], value=0.0)
    return net.floating(net.fconv_relu(padded, (8, 3, 3, 3), strides=[2, 2]))


@quirk("Pad with an axes operand (opset 18)")
def pad_axes() -> Network:
    net = Net(15, opset=19)
    inputs = [net.shape(1, 1, 0, 2), net.constant(np.float32(0)), net.shape(2, -1)]
    x = net.same("Pad", net.image(1, 3, 8, 8, zero=9), 9, inputs=inputs)
    return net.quantized(net.conv_layer(x, (6, 3, 3, 3)))


@quirk("zero padding in front of max pooling (Keras ResNet)")
def pad_before_max_pool() -> Network:
    net = Net(16)
    x = net.conv_layer(net.image(1, 3, 10, 10), (6, 3, 3, 3), zero=-10)
    x = net.same("Pad", x, -10, inputs=[net.shape(0, 0, 1, 1, 0, 0, 1, 1)])
    return net.quantized(net.same("MaxPool", x, -10, kernel_shape=[3, 3], strides=[2, 2]))


@quirk("pads wider than the kernel: results that see padding only")
def pads_beyond_kernel() -> Network:
    net = Net(17)
    return net.quantized(net.conv_layer(net.image(1, 3, 6, 6, zero=-30), (5, 3, 2, 2), pads=[3, 2, 3, 4]))
