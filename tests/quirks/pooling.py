"""Pooling and means."""

from typing import Any

import numpy as np

from tests.quirks.net import Net
from tests.quirks.registry import Allowance, Network, quirk

__all__: list[str] = []

TIES = Allowance(0.03, "onnxruntime averages in float32, in an order of its own: exact ties round either way (decision 0002)")


def _image(net: Net, height: int = 12, width: int = 12, channels: int = 6, zero: int = -128) -> str:
    return net.conv_layer(net.image(1, 3, height + 2, width + 2), (channels, 3, 3, 3), zero=zero)


@quirk("MaxPool 2 × 2 / 2, 3 × 3 / 3 and 3 × 3 / 2 with pads")
def max_pools() -> Network:
    net = Net()
    x = _image(net, 18, 18, zero=20)
    x = net.same("MaxPool", x, 20, kernel_shape=[2, 2], strides=[2, 2])
    a = net.same("MaxPool", x, 20, kernel_shape=[3, 3], strides=[3, 3])
    return net.quantized(a, net.same("MaxPool", x, 20, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]))


@quirk("MaxPool with ceil_mode, with and without pads")
def max_pool_ceil() -> Network:
    net = Net(1)
    x = _image(net, 12, 11)
    a = net.same("MaxPool", x, -128, kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1)
    return net.quantized(a, net.same("MaxPool", x, -128, kernel_shape=[2, 3], strides=[2, 2], pads=[1, 1, 0, 1], ceil_mode=1))


@quirk("MaxPool with dilation 2 and 3 (atrous spatial pyramids)")
def max_pool_dilated() -> Network:
    net = Net(2)
    x = _image(net)
    a = net.same("MaxPool", x, -128, kernel_shape=[3, 3], dilations=[2, 2], pads=[2] * 4)
    return net.quantized(a, net.same("MaxPool", x, -128, kernel_shape=[2, 3], dilations=[3, 1], strides=[2, 2]))


@quirk("MaxPool with auto_pad SAME_UPPER and SAME_LOWER")
def max_pool_same() -> Network:
    net = Net(3)
    x = _image(net, 11, 12, zero=3)
    a = net.same("MaxPool", x, 3, kernel_shape=[3, 3], strides=[2, 2], auto_pad="SAME_UPPER")
    return net.quantized(a, net.same("MaxPool", x, 3, kernel_shape=[2, 2], auto_pad="SAME_LOWER"))


@quirk("MaxPool of 5 × 5, 9 × 9 and 13 × 13 with stride 1 (spatial pyramid pooling)")
def spatial_pyramid() -> Network:
    net = Net(4)
    x = _image(net, 10, 10)
    pools = [net.same("MaxPool", x, -128, kernel_shape=[size] * 2, pads=[size // 2] * 4) for size in (5, 9, 13)]
    joined = net.qdq(net.node("Concat", [*pools, x], axis=1), net.scales[x], -128)
    return net.quantized(net.conv_layer(joined, (4, 24, 1, 1)))


@quirk("AveragePool with pads, with and without count_include_pad", allowance=TIES)
def average_pools() -> Network:
    net = Net(5)
    x = _image(net, zero=-30)
    include = net.node("AveragePool", [x], kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4, count_include_pad=1)
    leave = net.node("AveragePool", [x], kernel_shape=[3, 3], strides=[2, 2], pads=[1, 0, 1, 2])
    return net.quantized(*(net.qdq(value, net.scales[x] / 2, 5) for value in (include, leave)))


@quirk("AveragePool with ceil_mode, with and without count_include_pad", allowance=TIES)
def average_pool_ceil() -> Network:
    net = Net(6, opset=19)
    x = _image(net, 12, 11, zero=-30)
    options: dict[str, Any] = {"kernel_shape": [3, 3], "strides": [2, 2], "ceil_mode": 1}
    values = [net.node("AveragePool", [x], **options), net.node("AveragePool", [x], **options, pads=[1] * 4, count_include_pad=1)]
    return net.quantized(*(net.qdq(value, net.scales[x] / 2, 5) for value in values))


@quirk("AveragePool with auto_pad SAME_UPPER", allowance=TIES)
def average_pool_same() -> Network:
    net = Net(7)
    x = _image(net, 11, 11)
    value = net.node("AveragePool", [x], kernel_shape=[2, 2], strides=[2, 2], auto_pad="SAME_UPPER")
    return net.quantized(net.qdq(value, net.scales[x], -128))


@quirk("AveragePool over windows of 25 × 5 and 24 × 24")
def average_pool_large() -> Network:
    net = Net(8)
    tall = net.image(1, 8, 25, 5, name="tall", zero=-20)
    a = net.qdq(net.node("AveragePool", [tall], kernel_shape=[25, 5]), 0.004, 0)
    wide = net.image(1, 3, 24, 24, name="wide")
    return net.quantized(a, net.qdq(net.node("AveragePool", [wide], kernel_shape=[24, 24], strides=[24, 24]), 0.002, -3))


@quirk("AveragePool that keeps scale and zero point", allowance=TIES)
def average_pool_same_scale() -> Network:
    net = Net(9)
    return net.quantized(net.same("AveragePool", _image(net), -128, kernel_shape=[4, 4], strides=[4, 4]))


@quirk("GlobalAveragePool, then Squeeze, Flatten and Reshape in front of fully connected layers")
def global_average_pool() -> Network:
    net = Net(10)
    x = _image(net, 7, 9)
    pooled = net.qdq(net.node("GlobalAveragePool", [x]), net.scales[x] / 4, -128)
    flats = [
        net.same("Squeeze", pooled, -128, inputs=[net.shape(2, 3)]),
        net.same("Flatten", pooled, -128),
        net.same("Reshape", pooled, -128, inputs=[net.shape(-1, 6)]),
    ]
    return net.quantized(*(net.gemm_layer(flat, 6, 4) for flat in flats))


@quirk("GlobalMaxPool")
def global_max_pool() -> Network:
    net = Net(11)
    return net.quantized(net.same("GlobalMaxPool", _image(net, 7, 7), -128))


@quirk("ReduceMean over the image between pairs: attribute, operand, keepdims 0 and 1")
def reduce_mean() -> Network:
    outputs = []
    net = Net(12, opset=18)
    x = _image(net, 6, 5)
    for keepdims in (0, 1):
        mean = net.node("ReduceMean", [x, net.shape(2, 3)], keepdims=keepdims)
        outputs.append(net.qdq(mean, net.scales[x] / 4, -128))
    return net.quantized(*outputs)


@quirk("ReduceMean with an axes attribute, negative axes, in a float network")
def reduce_mean_float() -> Network:
    net = Net(13, opset=13)
    x = net.fconv_relu(net.input("x", ["N", 3, 8, 8]), (6, 3, 3, 3))
    return net.floating(net.fgemm(net.node("ReduceMean", [x], axes=[-2, -1], keepdims=0), 6, 4))


@quirk("ReduceMean over the width alone and over the height alone", allowance=TIES)
def reduce_mean_of_one_axis() -> Network:
    net = Net(14, opset=18)
    x = _image(net, 6, 8)
    rows = net.node("ReduceMean", [x, net.shape(3)], keepdims=1)
    columns = net.node("ReduceMean", [x, net.shape(2)], keepdims=1)
    return net.quantized(*(net.qdq(value, net.scales[x] / 2, -128) for value in (rows, columns)))


@quirk("a network of nothing but a max pool")
def only_max_pool() -> Network:
    net = Net(15)
    return net.quantized(net.same("MaxPool", net.image(1, 5, 8, 8), kernel_shape=[2, 2], strides=[2, 2]))


@quirk("a network of nothing but a global average, in uint8")
def only_average_pool() -> Network:
    net = Net(16)
    x = net.codes(1, 5, 8, 8, zero=100, dtype="uint8")
    return net.quantized(net.quantize(net.node("GlobalAveragePool", [x]), 0.01, 128, "uint8"), dtype="uint8")


@quirk("max pooling of float input in front of the first convolution")
def pool_before_convolution() -> Network:
    net = Net(17)
    x = net.node("MaxPool", [net.input("x", ["N", 3, 16, 16])], kernel_shape=[2, 2], strides=[2, 2])
    x = net.node("AveragePool", [net.fconv_relu(x, (6, 3, 3, 3))], kernel_shape=[3, 3], strides=[3, 3])
    return net.floating(net.fconv(x, (4, 6, 1, 1)))


@quirk("max pooling with all its attributes spelled out")
def max_pool_attributes() -> Network:
    net = Net(18)
    return net.quantized(net.same("MaxPool", _image(net), -128, kernel_shape=[2, 2], strides=[2, 2], storage_order=0,
                                  dilations=[1, 1], ceil_mode=0, auto_pad="NOTSET", pads=[0, 0, 0, 0]))  # fmt: skip


@quirk("average of averages: AveragePool 2 × 2 with a rescale up and a rescale down", allowance=TIES)
def average_pool_rescaled() -> Network:
    net = Net(19)
    x = _image(net, zero=np.int8(7).item())
    x = net.qdq(net.node("AveragePool", [x], kernel_shape=[2, 2], strides=[2, 2]), net.scales[x] / 8, -40)
    return net.quantized(net.qdq(net.node("AveragePool", [x], kernel_shape=[3, 3]), net.scales[x] * 20, 9))
