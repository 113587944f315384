"""Operators that only move data: Split, Slice, DepthToSpace, SpaceToDepth, Gather."""

import numpy as np

from tests.quirks.net import Net
from tests.quirks.registry import Network, quirk

__all__: list[str] = []


def _image(net: Net, channels: int = 8, zero: int = -128, size: int = 8) -> str:
    return net.conv_layer(net.image(1, 3, size + 2, size + 2), (channels, 3, 3, 3), zero=zero)


@quirk("Split of channels into unequal parts, each convolved (CSP, Res2Net)")
def split_channels() -> Network:
    net = Net()
    x = _image(net, 10)
    node = net.node("Split", [x, net.shape(3, 5, 2)], outputs=3, axis=1)
    parts = [node, *(node.replace("_0", f"_{index}") for index in (1, 2))]
    values = [net.qdq(part, net.scales[x], -128) for part in parts]
    return net.quantized(*(net.conv_layer(value, (4, count, 3, 3)) for value, count in zip(values, (3, 5, 2), strict=True)))


@quirk("Split with an attribute and without one, opset 11 and 18, in a float network")
def split_halves() -> Network:
    net = Net(1, opset=18)
    x = net.fconv_relu(net.input("x", ["N", 3, 8, 8]), (8, 3, 3, 3))
    first = net.node("Split", [x], outputs=2, axis=1, num_outputs=2)
    left, right = net.fconv(first, (4, 4, 1, 1)), first.replace("_0", "_1")
    return net.floating(net.node("Concat", [right, left], axis=1))


@quirk("Split with sizes as an attribute, opset 11")
def split_attribute() -> Network:
    net = Net(2, opset=11)
    x = net.fconv_relu(net.input("x", ["N", 3, 8, 8]), (8, 3, 3, 3))
    first = net.node("Split", [x], outputs=2, axis=1, split=[3, 5])
    return net.floating(net.fconv(first, (2, 3, 3, 3)), net.fconv(first.replace("_0", "_1"), (2, 5, 1, 1)))


@quirk("strided Slice over height and width, with a start")
def strided_slice() -> Network:
    net = Net(3)
    x = net.same("Slice", _image(net), -128, inputs=[net.shape(1, 0), net.shape(8, 8), net.shape(2, 3), net.shape(2, 3)])
    return net.quantized(net.conv_layer(x, (4, 8, 3, 2)))


@quirk("Slice of channels and Slice to a crop, negative ends")
def slice_channels() -> Network:
    net = Net(4)
    x = _image(net, zero=3)
    channels = net.same("Slice", x, 3, inputs=[net.shape(2), net.shape(-1), net.shape(1)])
    crop = net.same("Slice", x, 3, inputs=[net.shape(1, 2), net.shape(-1, -2), net.shape(-2, -1)])
    return net.quantized(net.conv_layer(channels, (4, 5, 3, 3)), net.conv_layer(crop, (4, 8, 3, 3)))


@quirk("Slice with attributes, opset 9")
def slice_attributes() -> Network:
    net = Net(5, opset=9)
    x = net.fconv_relu(net.input("x", ["N", 3, 10, 10]), (6, 3, 3, 3))
    return net.floating(net.fconv(net.node("Slice", [x], axes=[1, 2], starts=[1, 0], ends=[5, 6]), (4, 4, 3, 3)))


@quirk("Focus of YOLOv5: four strided Slices and Concat")
def focus() -> Network:
    net = Net(6)
    x = net.image(1, 3, 12, 12)
    parts = [
        net.same("Slice", x, inputs=[net.shape(row, column), net.shape(99, 99), net.shape(2, 3), net.shape(2, 2)])
        for column in (0, 1)
        for row in (0, 1)
    ]
    joined = net.qdq(net.node("Concat", parts, axis=1), net.scales[x], 0)
    return net.quantized(net.conv_layer(joined, (6, 12, 3, 3), pads=[1] * 4))


@quirk("a reversed image: Slice with step -1")
def flip() -> Network:
    net = Net(7)
    least = -(2**63) + 1
    x = net.same("Slice", _image(net), -128, inputs=[net.shape(-1), net.shape(least), net.shape(3), net.shape(-1)])
    return net.quantized(net.conv_layer(x, (4, 8, 3, 3)))


@quirk("the input reversed in channels and width, and results reversed in height")
def flipped_ports() -> Network:
    net = Net(14)
    least = -(2**63) + 1
    x = net.image(1, 4, 7, 8)
    y = net.same("Slice", x, inputs=[net.shape(-1, -1), net.shape(least, least), net.shape(1, 3), net.shape(-1, -1)])
    z = net.conv_layer(y, (5, 4, 3, 3), zero=6)
    turned = net.same("Slice", z, 6, inputs=[net.shape(-1), net.shape(least), net.shape(2), net.shape(-1)])
    return net.quantized(turned, net.same("Slice", z, 6, inputs=[net.shape(3), net.shape(least), net.shape(1), net.shape(-2)]))


@quirk("outputs that are slices, transposed and padded, straight from a layer")
def rearranged_outputs() -> Network:
    net = Net(15)
    x = _image(net)
    outputs = [
        net.same("Transpose", x, -128, perm=[0, 3, 1, 2]),
        net.same("Pad", x, -128, inputs=[net.shape(0, 1, 0, 2, 0, 0, 1, 0)]),
        net.same("Slice", x, -128, inputs=[net.shape(1, 0), net.shape(7, 9), net.shape(1, 2), net.shape(2, 3)]),
        net.same("Reshape", x, -128, inputs=[net.shape(1, 2, 4, 4, 16)]),
    ]
    return net.quantized(*outputs)


@quirk("rearrangements of the input alone, with no layer that computes")
def only_rearrangements() -> Network:
    net = Net(16)
    x = net.image(1, 4, 6, 6)
    shuffled = net.same("DepthToSpace", x, blocksize=2)
    return net.quantized(shuffled, net.same("Transpose", x, perm=[0, 2, 3, 1]), net.same("Flatten", x))


@quirk("DepthToSpace DCR and CRD (pixel shuffle, super resolution)")
def depth_to_space() -> Network:
    net = Net(8)
    x = _image(net, 12, size=4)
    tf = net.same("DepthToSpace", x, -128, blocksize=2)
    pytorch = net.same("DepthToSpace", x, -128, blocksize=2, mode="CRD")
    return net.quantized(net.conv_layer(tf, (3, 3, 3, 3)), pytorch)


@quirk("SpaceToDepth")
def space_to_depth() -> Network:
    net = Net(9)
    x = net.same("SpaceToDepth", net.image(1, 3, 8, 8), blocksize=2)
    return net.quantized(net.conv_layer(x, (6, 12, 3, 3)))


@quirk("PixelShuffle spelled out: Reshape, Transpose of rank 6, Reshape (TorchScript)")
def pixel_shuffle_spelled_out() -> Network:
    net = Net(10)
    x = net.fconv(net.input("x", ["N", 3, 6, 6]), (8, 3, 3, 3))
    y = net.node("Transpose", [net.node("Reshape", [x, net.shape(-1, 2, 2, 2, 4, 4)])], perm=[0, 1, 4, 2, 5, 3])
    return net.floating(net.node("Reshape", [y, net.shape(-1, 2, 8, 8)]))


@quirk("Gather of channels: RGB to BGR by a constant index")
def gather_channels() -> Network:
    net = Net(11)
    x = net.same("Gather", net.image(1, 3, 8, 8), inputs=[net.shape(2, 1, 0)], axis=1)
    return net.quantized(net.conv_layer(x, (6, 3, 3, 3)))


@quirk("Gather of one column: a scalar index that removes the axis")
def gather_one() -> Network:
    net = Net(12)
    x = _image(net)
    y = net.same("Gather", x, -128, inputs=[net.constant(np.int64(-1))], axis=3)
    return net.quantized(net.gemm_layer(net.same("Flatten", y, -128), 64, 4))


@quirk("the space-to-batch detour around a dilated convolution is folded by tf2onnx; here it is a Slice of phases")
def phases() -> Network:
    net = Net(13)
    x = _image(net, 4)
    even = net.same("Slice", x, -128, inputs=[net.shape(0), net.shape(99), net.shape(2), net.shape(2)])
    odd = net.same("Slice", x, -128, inputs=[net.shape(1), net.shape(99), net.shape(2), net.shape(2)])
    return net.quantized(net.qdq(net.node("Add", [even, odd]), net.scales[x] * 1.5, -128))
