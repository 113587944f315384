"""Networks of which a part runs on the host: at the end, at the start, in between."""

import numpy as np
from onnx import TensorProto

from tests.quirks.net import Net
from tests.quirks.registry import Network, quirk

__all__: list[str] = []

REACH = 0.07  # of inputs so small that Softmax does not saturate


def _logits(net: Net) -> str:
    x = net.conv_layer(net.image("N", 3, 8, 8, scale=REACH / 140), (6, 3, 3, 3), relu=True, zero=-128)
    return net.gemm_layer(net.same("Flatten", x, -128), 216, 5)


@quirk("Softmax at the end, float", host=("Softmax",))
def softmax() -> Network:
    net = Net()
    return net.quantized(net.node("Softmax", [_logits(net)], axis=1), reach=REACH)


@quirk("Softmax at the end, quantized", host=("Softmax",))
def softmax_quantized() -> Network:
    net = Net(1)
    return net.quantized(net.qdq(net.node("Softmax", [_logits(net)], axis=-1), 1 / 256, -128), reach=REACH)


@quirk("ArgMax and the logits, as two outputs", host=("ArgMax",))
def arg_max() -> Network:
    net = Net(2)
    logits = _logits(net)
    net.output(net.node("ArgMax", [logits], axis=1, keepdims=0), "int64")
    return net.quantized(logits, reach=REACH)


@quirk("LogSoftmax, and Softmax over the channels of an image (segmentation)", host=("LogSoftmax", "Softmax"))
def softmax_of_an_image() -> Network:
    net = Net(3)
    x = net.conv_layer(net.image(1, 3, 8, 8), (4, 3, 3, 3))
    return net.quantized(net.node("Softmax", [x], axis=1), net.node("LogSoftmax", [x], axis=1))


@quirk("TopK at the end, with both its outputs", host=("TopK",))
def top_k() -> Network:
    net = Net(4)
    values = net.node("TopK", [_logits(net), net.shape(2)], outputs=2, axis=1)
    net.output(values.replace("_0", "_1"), "int64")
    return net.quantized(values, reach=REACH)


@quirk("a float model with Softmax, ArgMax and a Cast behind it", host=("ArgMax", "Softmax"))
def float_classifier() -> Network:
    net = Net(5)
    x = net.fgemm(net.node("Flatten", [net.fconv_relu(net.input("x", ["N", 3, 8, 8]), (6, 3, 3, 3))]), 216, 5)
    probabilities = net.node("Softmax", [x], axis=1)
    best = net.node("ArgMax", [probabilities], axis=1)
    net.output(net.node("Cast", [best], to=TensorProto.INT64), "int64")
    return net.floating(probabilities)


@quirk("Softmax in the middle: the layers behind it", host=("Conv", "Softmax"))
def island_in_the_middle() -> Network:
    net = Net(6)
    x = net.conv_layer(net.image(1, 3, 8, 8), (4, 3, 3, 3))
    x = net.qdq(net.node("Softmax", [x], axis=1), 1 / 256, -128)
    return net.quantized(net.conv_layer(x, (5, 4, 3, 3)))


@quirk("a division of the float input by its norm in front of QuantizeLinear", host=("Div", "ReduceL2"))
def float_prologue() -> Network:
    net = Net(7)
    x = net.input("x", [1, 3, 8, 8])
    x = net.node("Div", [x, net.node("ReduceL2", [x], axes=[1, 2, 3], keepdims=1)])
    x = net.qdq(x, 0.002, 0)
    return net.quantized(net.conv_layer(x, (4, 3, 3, 3)))


@quirk("uint8 pixels, cast, scaled and shifted in float in front of QuantizeLinear", host=("Mul", "Sub"))
def pixels_to_float() -> Network:
    net = Net(8)
    x = net.node("Cast", [net.input("x", [1, 3, 8, 8], "uint8")], to=TensorProto.FLOAT)
    x = net.node("Sub", [net.node("Mul", [x, net.constant(np.float32(1 / 255))]), net.values((1, 3, 1, 1), 0.1, 0.5)])
    x = net.qdq(x, 0.005, 0)
    return net.quantized(net.conv_layer(x, (4, 3, 3, 3)))


@quirk("detection: boxes decoded in float from quantized heads", host=("Add", "Concat", "Exp", "Mul", "Split"))
def box_decoding() -> Network:
    net = Net(9)
    x = net.conv_layer(net.image(1, 3, 6, 6), (6, 3, 3, 3), relu=True, zero=-128)
    heads = net.conv_layer(x, (4, 6, 1, 1))
    first = net.node("Split", [heads, net.shape(2, 2)], outputs=2, axis=1)
    centers = net.node("Add", [first, net.values((1, 2, 4, 4))])
    sizes = net.node("Mul", [net.node("Exp", [first.replace("_0", "_1")]), net.constant(np.float32(4))])
    return net.quantized(net.node("Concat", [centers, sizes], axis=1), heads)


@quirk("float results of the last convolution, never quantized", host=("Conv",))
def last_layer_left_float() -> Network:
    net = Net(10)
    x = net.conv_layer(net.image(1, 3, 8, 8), (6, 3, 3, 3), relu=True, zero=-128)
    return net.quantized(net.conv(x, (4, 6, 3, 3), net.scales[x]))


@quirk("the first layer left float, as mixed-precision quantizers do", host=("Conv", "Relu"))
def first_layer_left_float() -> Network:
    net = Net(11)
    x = net.qdq(net.fconv_relu(net.input("x", [1, 3, 8, 8]), (6, 3, 3, 3)), 0.03, -128)
    return net.quantized(net.conv_layer(x, (4, 6, 3, 3)))
