"""Activation functions, as one operator and spelled out."""

import numpy as np

from tests.quirks.net import Net
from tests.quirks.registry import Network, quirk

__all__: list[str] = []


def _scalar(net: Net, value: float) -> str:
    return net.constant(np.float32(value))


@quirk("SiLU: x * Sigmoid(x) with pairs around both (PT2E, onnxruntime's quantizer)")
def silu_quantized() -> Network:
    net = Net()
    x = net.conv_layer(net.image(1, 3, 8, 8), (6, 3, 3, 3), zero=4)
    gate = net.qdq(net.node("Sigmoid", [x]), 1 / 256, -128)
    return net.quantized(net.qdq(net.node("Mul", [x, gate]), net.scales[x] * 0.6, -118))


@quirk("SiLU as one float function between two pairs")
def silu_float() -> Network:
    net = Net(1)
    x = net.conv_layer(net.image(1, 3, 8, 8), (6, 3, 3, 3), zero=4)
    return net.quantized(net.qdq(net.node("Mul", [net.node("Sigmoid", [x]), x]), net.scales[x] * 0.6, -118))


@quirk("a float network with SiLU")
def silu_float_model() -> Network:
    net = Net(2)
    x = net.fconv(net.input("x", ["N", 3, 8, 8]), (6, 3, 3, 3))
    return net.floating(net.fconv(net.node("Mul", [x, net.node("Sigmoid", [x])]), (4, 6, 3, 3)))


@quirk("HardSwish spelled out: x * Clip(x + 3, 0, 6) / 6 in a float network")
def hard_swish_spelled_out() -> Network:
    net = Net(3)
    x = net.fconv(net.input("x", ["N", 3, 8, 8]), (6, 3, 3, 3))
    gate = net.node("Clip", [net.node("Add", [x, _scalar(net, 3)]), _scalar(net, 0), _scalar(net, 6)])
    y = net.node("Div", [net.node("Mul", [x, gate]), _scalar(net, 6)])
    return net.floating(net.fconv(y, (4, 6, 3, 3)))


@quirk("HardSwish spelled out with HardSigmoid, between two pairs")
def hard_swish_by_hard_sigmoid() -> Network:
    net = Net(4)
    x = net.conv_layer(net.image(1, 3, 8, 8), (6, 3, 3, 3), zero=4)
    y = net.node("Mul", [x, net.node("HardSigmoid", [x], alpha=1 / 6, beta=0.5)])
    return net.quantized(net.qdq(y, net.scales[x] * 0.6, -118))


@quirk("the operator HardSwish in a float network (MobileNetV3)")
def hard_swish() -> Network:
    net = Net(5)
    x = net.node("HardSwish", [net.fconv(net.input("x", ["N", 3, 8, 8]), (6, 3, 3, 3))])
    return net.floating(net.fconv(x, (4, 6, 1, 1)))


@quirk("Gelu by Erf in a float network")
def gelu_by_erf() -> Network:
    net = Net(6)
    x = net.fconv(net.input("x", ["N", 3, 8, 8]), (6, 3, 3, 3))
    inner = net.node("Erf", [net.node("Div", [x, _scalar(net, np.sqrt(2))])])
    y = net.node("Mul", [net.node("Mul", [x, net.node("Add", [inner, _scalar(net, 1)])]), _scalar(net, 0.5)])
    return net.floating(net.fconv(y, (4, 6, 1, 1)))


@quirk("Gelu by Tanh between two pairs")
def gelu_by_tanh() -> Network:
    net = Net(7)
    x = net.conv_layer(net.image(1, 3, 8, 8), (6, 3, 3, 3), zero=4)
    cube = net.node("Mul", [net.node("Mul", [net.node("Mul", [x, x]), x]), _scalar(net, 0.044715)])
    inner = net.node("Tanh", [net.node("Mul", [net.node("Add", [x, cube]), _scalar(net, np.sqrt(2 / np.pi))])])
    y = net.node("Mul", [net.node("Mul", [x, _scalar(net, 0.5)]), net.node("Add", [inner, _scalar(net, 1)])])
    return net.quantized(net.qdq(y, net.scales[x] * 0.6, -118))


@quirk("the operator Gelu (opset 20)")
def gelu() -> Network:
    net = Net(8, opset=20)
    x = net.conv_layer(net.image(1, 3, 8, 8), (6, 3, 3, 3), zero=4)
    return net.quantized(net.qdq(net.node("Gelu", [x]), net.scales[x] * 0.6, -118))


@quirk("PRelu with a slope per channel and with one slope, in a float network")
def prelu() -> Network:
    net = Net(9)
    x = net.node("PRelu", [net.fconv(net.input("x", ["N", 3, 8, 8]), (6, 3, 3, 3)), net.values((6, 1, 1), 0.3)])
    x = net.node("PRelu", [net.fconv(x, (4, 6, 3, 3)), net.values((1,), 0.1, 0.25)])
    return net.floating(net.fconv(x, (3, 4, 1, 1)))


@quirk("LeakyRelu between two pairs, and fused behind a convolution")
def leaky_relu() -> Network:
    net = Net(10)
    x = net.conv_layer(net.image(1, 3, 8, 8), (6, 3, 3, 3), zero=4)
    x = net.qdq(net.node("LeakyRelu", [x], alpha=0.1), net.scales[x] * 0.7, -90)
    return net.quantized(net.conv_layer(x, (4, 6, 3, 3)))


@quirk("LeakyRelu as Max(x, alpha * x) in a float network (old Keras)")
def leaky_relu_by_max() -> Network:
    net = Net(11)
    x = net.fconv(net.input("x", ["N", 3, 8, 8]), (6, 3, 3, 3))
    return net.floating(net.fconv(net.node("Max", [net.node("Mul", [x, _scalar(net, 0.2)]), x]), (4, 6, 1, 1)))


@quirk("Relu6 as Min(Relu(x), 6) in a float network (old tf2onnx)")
def relu6_by_min() -> Network:
    net = Net(12)
    x = net.fconv_relu(net.input("x", ["N", 3, 8, 8]), (6, 3, 3, 3))
    return net.floating(net.fconv(net.node("Min", [x, _scalar(net, 1)]), (4, 6, 1, 1)))


@quirk("Clip with attributes, opset 9 (Relu6 of old PyTorch)")
def clip_attributes() -> Network:
    net = Net(13, opset=9)
    x = net.node("Clip", [net.fconv(net.input("x", ["N", 3, 8, 8]), (6, 3, 3, 3))], min=0.0, max=1.5)
    return net.floating(net.fconv(x, (4, 6, 1, 1)))


@quirk("Elu, Selu, Celu, Softplus, Softsign, Tanh, HardSigmoid, ThresholdedRelu, one after the other")
def unary_functions() -> Network:
    net = Net(14)
    x = net.conv_layer(net.image(1, 3, 7, 7), (6, 3, 3, 3), zero=4)
    ops = ("Elu", "Selu", "Celu", "Softplus", "Softsign", "Tanh", "HardSigmoid", "ThresholdedRelu")
    return net.quantized(*(net.qdq(net.node(op, [x]), 0.02, -60) for op in ops))


@quirk("Abs, Neg, Sqrt of squares, Exp, Reciprocal, Floor: unary mathematics between pairs")
def unary_mathematics() -> Network:
    net = Net(15)
    x = net.conv_layer(net.image(1, 3, 6, 6), (4, 3, 3, 3), zero=4)
    values = [net.node(op, [x]) for op in ("Abs", "Neg", "Exp", "Floor", "Sin")]
    values.append(net.node("Sqrt", [net.node("Abs", [x])]))
    values.append(net.node("Pow", [x, _scalar(net, 2)]))
    return net.quantized(*(net.qdq(value, 0.03, -20) for value in values))


@quirk("Mish: x * Tanh(Softplus(x)) in a float network (YOLOv4)")
def mish() -> Network:
    net = Net(16)
    x = net.fconv(net.input("x", ["N", 3, 8, 8]), (6, 3, 3, 3))
    return net.floating(net.fconv(net.node("Mul", [x, net.node("Tanh", [net.node("Softplus", [x])])]), (4, 6, 1, 1)))


@quirk("Sigmoid and Tanh quantized with onnxruntime's usual scales, behind a fully connected layer")
def sigmoid_of_a_vector() -> Network:
    net = Net(17)
    x = net.gemm_layer(net.image(1, 16), 16, 9)
    return net.quantized(net.qdq(net.node("Sigmoid", [x]), 1 / 256, 0, "uint8"), net.qdq(net.node("Tanh", [x]), 1 / 128, 0))
