"""Attributes of convolutions and pooling that contradict the operator or each other."""

from pathlib import Path
from typing import Any

import numpy as np
from onnx import helper

from tests.malformed.registry import Made, malformed, one_layer
from tests.quirks.net import Net
from tests.quirks.registry import Network

__all__: list[str] = []


def _conv(shape: tuple[int, ...] = (4, 3, 3, 3), image: tuple[int, ...] = (1, 3, 8, 8), **attributes: Any) -> Network:
    """One convolution, 'conv_4', whose results are quantized; built without shape inference getting in the way."""
    net = Net()
    x = net.image(*image)
    value = net.node("Conv", [x, net.weight(shape), net.bias(shape[0], 0.03)], **attributes)
    return net.quantized(net.qdq(value, 0.1, 0))


def _pool(**attributes: Any) -> Network:
    net = Net()
    return net.quantized(net.same("MaxPool", net.image(1, 3, 8, 8), **attributes))


@malformed("an attribute of the wrong type", "not a valid ONNX model", "strides")
def wrong_attribute_type(folder: Path) -> Made:
    return _conv(strides=[1.5, 2.5])


@malformed("an attribute that the operator does not have", "not a valid ONNX model", "colour")
def unknown_attribute(folder: Path) -> Made:
    return _conv(colour=3)


@malformed("one attribute twice", "dilations")
def attribute_twice(folder: Path) -> Made:
    network = _conv(dilations=[1, 1])
    node = next(node for node in network.model.graph.node if node.op_type == "Conv")
    node.attribute.append(helper.make_attribute("dilations", [2, 2]))
    return network


@malformed("an attribute without a value", "not a valid ONNX model")
def attribute_without_value(folder: Path) -> Made:
    model = one_layer()[1]
    node = next(node for node in model.graph.node if node.op_type == "Conv")
    del node.attribute[0].ints[:]
    node.attribute[0].ClearField("type")
    return model


@malformed("a convolution of a matrix", "conv_4")
def conv_of_a_matrix(folder: Path) -> Made:
    return _conv(image=(1, 24))


@malformed("a three-dimensional convolution of an image", "conv_4")
def conv_of_wrong_rank(folder: Path) -> Made:
    return _conv(shape=(4, 3, 3, 3, 3))


@malformed("a weight for other channels than the image has", "channels", node="conv_4")
def weight_for_other_channels(folder: Path) -> Made:
    return _conv(shape=(4, 5, 3, 3))


@malformed("a kernel_shape that is not the weight's", "kernel_shape", node="conv_4")
def wrong_kernel_shape(folder: Path) -> Made:
    return _conv(kernel_shape=[5, 5])


@malformed("groups that do not divide the output channels", "group", node="conv_4")
def group_not_dividing(folder: Path) -> Made:
    return _conv(shape=(4, 1, 3, 3), group=3)


@malformed("0 groups", "group", node="conv_4")
def no_groups(folder: Path) -> Made:
    return _conv(group=0)


@malformed("-1 groups", "group", node="conv_4")
def negative_groups(folder: Path) -> Made:
    return _conv(group=-1)


@malformed("a dilation of 0", "dilation", "conv_4")
def dilation_0(folder: Path) -> Made:
    return _conv(dilations=[0, 1])


@malformed("a stride of 0", "stride", "conv_4")
def stride_0(folder: Path) -> Made:
    return _conv(strides=[0, 1])


@malformed("a negative stride", "stride", "conv_4")
def negative_stride(folder: Path) -> Made:
    return _conv(strides=[-1, 1])


@malformed("a stride of 2 to the 62", "conv_4")
def huge_stride(folder: Path) -> Made:
    return _conv(strides=[1 << 62, 1 << 62], dilations=[1 << 62, 1])


@malformed("negative pads of a convolution", "pad", "conv_4")
def negative_pads(folder: Path) -> Made:
    return _conv(pads=[-1, 0, 0, 0])


@malformed("pads of 2 to the 40", "conv_4")
def huge_pads(folder: Path) -> Made:
    return _conv(pads=[1 << 40, 0, 0, 0])


@malformed("two pads instead of four", "pad", "conv_4")
def too_few_pads(folder: Path) -> Made:
    return _conv(pads=[1, 1])


@malformed("three strides for two dimensions", "stride", "conv_4")
def too_many_strides(folder: Path) -> Made:
    return _conv(strides=[1, 1, 1])


@malformed("auto_pad with an unknown name", "conv_4", "SAME")
def unknown_auto_pad(folder: Path) -> Made:
    return _conv(auto_pad="SAME")


@malformed("a kernel larger than the padded image", "larger", node="conv_4")
def kernel_larger_than_image(folder: Path) -> Made:
    return _conv(shape=(4, 3, 9, 3), image=(1, 3, 8, 8))


@malformed("a kernel of no size", "conv_4")
def empty_kernel(folder: Path) -> Made:
    return _conv(shape=(4, 3, 0, 3))


@malformed("a weight that is computed at run time", "weight", node="conv_4")
def computed_weight(folder: Path) -> Made:
    net = Net()
    x, weight = net.image(1, 3, 8, 8), net.image(1, 3, 3, 3, name="w")
    return net.quantized(net.qdq(net.node("Conv", [x, weight]), 0.1, 0))


@malformed("a bias that is too long", "bias", node="conv_4")
def bias_too_long(folder: Path) -> Made:
    net = Net()
    x, weight = net.image(1, 3, 8, 8), net.weight((4, 3, 3, 3))
    net.last_scale = np.full(5, 0.01, np.float32)
    return net.quantized(net.qdq(net.node("Conv", [x, weight, net.bias(5, 0.03)]), 0.1, 0))


@malformed("a pooling window larger than the image", "maxpool_2")
def pool_larger_than_image(folder: Path) -> Made:
    return _pool(kernel_shape=[9, 9])


@malformed("a pooling window of size 0", "maxpool_2")
def pool_of_0(folder: Path) -> Made:
    return _pool(kernel_shape=[0, 2])


@malformed("pooling without a window", "kernel_shape")
def pool_without_window(folder: Path) -> Made:
    return _pool(strides=[2, 2])


@malformed("pads of a pooling as wide as its window", "pad", node="maxpool_2")
def pool_pads_too_wide(folder: Path) -> Made:
    return _pool(kernel_shape=[2, 2], pads=[2, 2, 2, 2])
