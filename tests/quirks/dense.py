"""Fully connected layers: Gemm and MatMul in their many forms."""

import numpy as np

from tests.quirks.net import Net, X
from tests.quirks.registry import Network, quirk

__all__: list[str] = []


@quirk("MatMul and Add, as TF and PyTorch's Linear on rank 3 give")
def matmul_add() -> Network:
    net = Net()
    x = net.image(1, 30)
    value = net.node("MatMul", [x, net.weight((30, 12), axis=1)])
    y = net.qdq(net.node("Add", [value, net.bias(12, X)]), 0.3, -128)
    weight = net.weight((12, 5), axis=1)
    value = net.node("Add", [net.bias(5, 0.3), net.node("MatMul", [y, weight])])
    return net.quantized(net.qdq(value, 3.0, 0))


@quirk("MatMul, Quantize/Dequantize, Add of a quantized constant")
def matmul_then_quantized_add() -> Network:
    net = Net(1)
    value = net.qdq(net.node("MatMul", [net.image(1, 24), net.weight((24, 6), axis=1, per_channel=False)]), 0.2, -4)
    return net.quantized(net.qdq(net.node("Add", [value, net.weight((6,), per_channel=False)]), 0.2, 5))


@quirk("a float network of Gemm with transB 0 and 1, alpha and beta, bias as a row, a scalar and none")
def gemm_forms() -> Network:
    net = Net(2)
    x = net.input("x", ["N", 16])
    x = net.node("Relu", [net.node("Gemm", [x, net.values((16, 12), 0.3), net.values((1, 12))], alpha=0.5, beta=2.0)])
    x = net.node("Relu", [net.node("Gemm", [x, net.values((10, 12), 0.3), net.values(())], transB=1)])
    return net.floating(net.node("Gemm", [x, net.values((10, 4), 0.3)]))


@quirk("quantized Gemm with transB 0 and a weight per tensor")
def gemm_not_transposed() -> Network:
    net = Net(3)
    x = net.image(1, 20, zero=-128)
    weight = net.weight((20, 9), per_channel=False)
    return net.quantized(net.qdq(net.node("Gemm", [x, weight, net.bias(9, X)], alpha=1.0, beta=1.0), 0.2, 0))


@quirk("a quantized Gemm with alpha and beta other than 1")
def gemm_alpha() -> Network:
    net = Net(4)
    x = net.image(1, 20)
    weight = net.weight((9, 20), per_channel=False)
    return net.quantized(net.qdq(net.node("Gemm", [x, weight], transB=1, alpha=0.5), 0.1, 0))


@quirk("an autoencoder of fully connected layers with BatchNormalization and Relu")
def autoencoder() -> Network:
    net = Net(5)
    x = net.input("x", ["N", 32])
    for before, count in ((32, 16), (16, 4), (4, 16)):
        x = net.node("Relu", [net.normalize(net.fgemm(x, before, count), count)])
    return net.floating(net.fgemm(x, 16, 32))


@quirk("BatchNormalization behind MatMul and Add")
def normalization_of_vectors() -> Network:
    net = Net(6)
    x = net.input("x", ["N", 16])
    x = net.node("Add", [net.node("MatMul", [x, net.values((16, 8), 0.3)]), net.values([8])])
    return net.floating(net.normalize(x, 8))


@quirk("a Gemm on a flattened image, whose rows must follow the image in memory")
def gemm_on_an_image() -> Network:
    net = Net(7)
    x = net.conv_layer(net.image(1, 3, 7, 5), (6, 3, 3, 3), relu=True, zero=-128)
    return net.quantized(net.gemm_layer(net.same("Flatten", x, -128), 90, 10))


@quirk("MatMul of rank 3: (1, 1, features)")
def matmul_rank_3() -> Network:
    net = Net(8)
    value = net.node("MatMul", [net.image(1, 1, 24), net.weight((24, 6), axis=1)])
    return net.quantized(net.qdq(value, 0.2, -4))


@quirk("MatMul over the pixels of an image laid out as (1, pixels, channels)")
def matmul_over_pixels() -> Network:
    net = Net(9)
    x = net.conv_layer(net.image(1, 3, 6, 6), (8, 3, 3, 3), zero=-128)
    x = net.same("Transpose", net.same("Reshape", x, -128, inputs=[net.shape(1, 8, 16)]), -128, perm=[0, 2, 1])
    value = net.node("MatMul", [x, net.weight((8, 5), axis=1)])
    return net.quantized(net.qdq(value, net.result_scale(x, 8), 3))


@quirk("one output: a single neuron at the end, with Sigmoid")
def single_neuron() -> Network:
    net = Net(10)
    x = net.gemm_layer(net.image(1, 20), 20, 1)
    return net.quantized(net.qdq(net.node("Sigmoid", [x]), 1 / 256, -128))


@quirk("the bias of a MatMul in front of a Relu and a Clip")
def matmul_add_clip() -> Network:
    net = Net(11)
    value = net.node("MatMul", [net.image(1, 24), net.weight((24, 6), axis=1)])
    value = net.node("Relu", [net.node("Add", [value, net.bias(6, X)])])
    value = net.node("Clip", [value, "", net.constant(np.float32(5))])
    return net.quantized(net.qdq(value, 0.03, -128))
