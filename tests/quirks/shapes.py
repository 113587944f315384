"""Shape arithmetic that exporters leave in the graph, and the ways to flatten."""

import numpy as np
from onnx import TensorProto

from tests.quirks.net import Net
from tests.quirks.registry import Network, quirk

__all__: list[str] = []


@quirk("view(x.size(0), -1) by TorchScript: Shape, Gather, Unsqueeze, Concat, Reshape")
def shape_gather_concat() -> Network:
    net = Net()
    x = net.fconv_relu(net.input("x", ["N", 3, 8, 8]), (6, 3, 3, 3))
    batch = net.node("Gather", [net.node("Shape", [x]), net.constant(np.int64(0))], axis=0)
    shape = net.node("Concat", [net.node("Unsqueeze", [batch, net.shape(0)]), net.shape(-1)], axis=0)
    return net.floating(net.fgemm(net.node("Reshape", [x, shape]), 216, 5))


@quirk("the same in a quantized network with a symbolic batch")
def shape_chain_quantized() -> Network:
    net = Net(1)
    x = net.conv_layer(net.image("N", 3, 8, 8), (6, 3, 3, 3), relu=True, zero=-128)
    batch = net.node("Slice", [net.node("Shape", [x]), net.shape(0), net.shape(1), net.shape(0)])
    shape = net.node("Concat", [batch, net.shape(216)], axis=0)
    return net.quantized(net.gemm_layer(net.same("Reshape", x, -128, inputs=[shape]), 216, 5))


@quirk("Shape, Slice, Cast, Mul, Floor, Cast, Concat in front of Resize (interpolate by TorchScript)")
def resize_by_computed_sizes() -> Network:
    net = Net(2, opset=13)
    x = net.fconv_relu(net.input("x", ["N", 3, 6, 6]), (4, 3, 3, 3))
    shape = net.node("Shape", [x])
    size = net.node("Cast", [net.node("Slice", [shape, net.shape(2), net.shape(4), net.shape(0)])], to=TensorProto.FLOAT)
    doubled = net.node("Floor", [net.node("Mul", [size, net.constant(np.float32(2))])])
    sizes = net.node("Concat", [net.node("Slice", [shape, net.shape(0), net.shape(2), net.shape(0)]),
                                net.node("Cast", [doubled], to=TensorProto.INT64)], axis=0)  # fmt: skip
    x = net.node("Resize", [x, "", "", sizes], mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor")
    return net.floating(net.fconv(x, (3, 4, 3, 3)))


@quirk("pads made by ConstantOfShape, Concat, Reshape, Slice, Transpose and Cast (F.pad by TorchScript)")
def pads_by_constant_of_shape() -> Network:
    net = Net(3, opset=11)
    x = net.input("x", [1, 3, 8, 8])
    zeros = net.node("ConstantOfShape", [net.shape(4)])
    zeros = net.node("Cast", [zeros], to=TensorProto.INT64)
    pads = net.node("Concat", [net.shape(1, 2, 0, 1), zeros], axis=0)  # left, right, top, bottom, then nothing for C and N
    pads = net.node("Reshape", [pads, net.shape(-1, 2)])
    pads = net.node("Slice", [pads, net.shape(-1), net.shape(-(2**63 - 1)), net.shape(0), net.shape(-1)])
    pads = net.node("Reshape", [net.node("Transpose", [pads], perm=[1, 0]), net.shape(-1)])
    padded = net.node("Pad", [x, pads, net.constant(np.float32(0))], mode="constant")
    return net.floating(net.fconv_relu(padded, (6, 3, 3, 3)))


@quirk("a ConstantOfShape tensor added as zeros, and one multiplied as ones")
def constant_of_shape_operand() -> Network:
    net = Net(4)
    x = net.fconv(net.input("x", [1, 3, 8, 8]), (4, 3, 3, 3))
    zeros = net.node("ConstantOfShape", [net.node("Shape", [x])])
    return net.floating(net.node("Relu", [net.node("Add", [x, zeros])]))


@quirk("Reshape with 0 and -1")
def reshape_zero() -> Network:
    net = Net(5)
    x = net.conv_layer(net.image("N", 3, 8, 8), (6, 3, 3, 3), zero=-128)
    x = net.same("MaxPool", x, -128, kernel_shape=[6, 6])
    return net.quantized(net.gemm_layer(net.same("Reshape", x, -128, inputs=[net.shape(0, -1)]), 6, 5))


@quirk("a fixed batch of 2, in the input and in a Reshape")
def fixed_batch() -> Network:
    net = Net(13)
    x = net.conv_layer(net.image(2, 3, 8, 8), (6, 3, 3, 3), zero=-128)
    return net.quantized(net.gemm_layer(net.same("Reshape", x, -128, inputs=[net.shape(2, 216)]), 216, 5))


@quirk("Flatten with axis 1, -3 and 0")
def flatten_axes() -> Network:
    net = Net(6)
    x = net.conv_layer(net.image(1, 3, 6, 6), (4, 3, 3, 3), zero=-128)
    outputs = [net.gemm_layer(net.same("Flatten", x, -128, axis=axis), 64, 3) for axis in (1, -3, 0)]
    return net.quantized(*outputs)


@quirk("Squeeze with axes as operand, as attribute's successor and without; Unsqueeze")
def squeezes() -> Network:
    net = Net(7)
    x = net.qdq(net.node("GlobalAveragePool", [net.conv_layer(net.image(1, 3, 6, 6), (5, 3, 3, 3), zero=-128)]), 0.02, -128)
    two = net.same("Squeeze", x, -128, inputs=[net.shape(-1, 2)])
    one = net.same("Squeeze", x, -128)
    back = net.same("Unsqueeze", one, -128, inputs=[net.shape(0, 2, 3)])
    return net.quantized(net.gemm_layer(two, 5, 3), one, net.conv_layer(back, (4, 5, 1, 1)))


@quirk("Squeeze and Unsqueeze with attributes, opset 11")
def squeeze_attributes() -> Network:
    net = Net(8, opset=11)
    x = net.node("GlobalAveragePool", [net.fconv_relu(net.input("x", ["N", 3, 6, 6]), (5, 3, 3, 3))])
    x = net.fgemm(net.node("Squeeze", [x], axes=[2, 3]), 5, 4)
    return net.floating(net.node("Unsqueeze", [x], axes=[2, 3]))


@quirk("a Transpose in front of the fully connected layer (Keras weights with channels last)")
def transpose_before_gemm() -> Network:
    net = Net(9)
    x = net.conv_layer(net.image(1, 3, 8, 7), (6, 3, 3, 3), relu=True, zero=-128)
    x = net.same("Reshape", net.same("Transpose", x, -128, perm=[0, 2, 3, 1]), -128, inputs=[net.shape(1, 180)])
    return net.quantized(net.gemm_layer(x, 180, 5))


@quirk("Reshape to more dimensions and back, and to the same shape")
def reshape_there_and_back() -> Network:
    net = Net(10)
    x = net.conv_layer(net.image(1, 3, 6, 6), (4, 3, 3, 3), zero=7)
    for shape in ((1, 2, 2, 16), (1, 4, 4, 4), (1, 4, 4, 4)):
        x = net.same("Reshape", x, 7, inputs=[net.shape(*shape)])
    return net.quantized(net.conv_layer(x, (3, 4, 3, 3)))


@quirk("a fully connected layer whose result is an image for a decoder")
def image_from_a_vector() -> Network:
    net = Net(11)
    x = net.gemm_layer(net.image(1, 10), 10, 64, zero=-128)
    x = net.same("Reshape", x, -128, inputs=[net.shape(1, 4, 4, 4)])
    return net.quantized(net.conv_layer(x, (3, 4, 3, 3), pads=[1] * 4))


@quirk("Expand and Tile of a vector over an image, then Concat (conditioning)")
def expand_over_an_image() -> Network:
    net = Net(12)
    x = net.image(1, 3, 6, 6, name="image")
    vector = net.same("Reshape", net.image(1, 2, name="label"), inputs=[net.shape(1, 2, 1, 1)])
    spread = net.same("Expand", vector, inputs=[net.shape(1, 2, 6, 6)])
    tiled = net.same("Tile", vector, inputs=[net.shape(1, 1, 6, 6)])
    joined = net.qdq(net.node("Concat", [x, spread, tiled], axis=1), net.scales[x], 0)
    return net.quantized(net.conv_layer(joined, (4, 7, 3, 3)))
