"""Operands whose shapes contradict the operator or each other."""

from pathlib import Path

import numpy as np

from tests.malformed.registry import Made, malformed
from tests.quirks.net import Net

__all__: list[str] = []


@malformed("a Gemm whose inner sizes differ", "gemm_4")
def gemm_sizes(folder: Path) -> Made:
    net = Net()
    return net.quantized(net.qdq(net.node("Gemm", [net.image(1, 20), net.weight((21, 5), axis=1), net.bias(5, 0.03)]), 0.1, 0))


@malformed("a MatMul whose inner sizes differ", "matmul_3")
def matmul_sizes(folder: Path) -> Made:
    net = Net()
    return net.quantized(net.qdq(net.node("MatMul", [net.image(1, 20), net.weight((21, 5), axis=1)]), 0.1, 0))


@malformed("a Reshape to another number of elements", "reshape_2")
def reshape_size(folder: Path) -> Made:
    net = Net()
    return net.quantized(net.same("Reshape", net.image(1, 3, 4, 4), inputs=[net.shape(1, 50)]))


@malformed("a Reshape with two -1", "reshape_2")
def reshape_twice_unknown(folder: Path) -> Made:
    net = Net()
    return net.quantized(net.same("Reshape", net.image(1, 3, 4, 4), inputs=[net.shape(-1, -1)]))


@malformed("Concat of images of different height", "concat_4")
def concat_sizes(folder: Path) -> Made:
    net = Net()
    a, b = net.image(1, 3, 4, 4, name="a"), net.image(1, 3, 5, 4, name="b")
    return net.quantized(net.qdq(net.node("Concat", [a, b], axis=1), 0.03, 0))


@malformed("Concat along an axis that is not there", "concat_2")
def concat_axis(folder: Path) -> Made:
    net = Net()
    x = net.image(1, 3, 4, 4)
    return net.quantized(net.qdq(net.node("Concat", [x, x], axis=4), 0.03, 0))


@malformed("a Transpose with one axis twice", "transpose_2")
def transpose_axes(folder: Path) -> Made:
    net = Net()
    return net.quantized(net.same("Transpose", net.image(1, 3, 4, 4), perm=[0, 1, 1, 2]))


@malformed("Add of shapes that do not fit", "add_4")
def add_shapes(folder: Path) -> Made:
    net = Net()
    a, b = net.image(1, 3, 4, 4, name="a"), net.image(1, 2, 4, 4, name="b")
    return net.quantized(net.qdq(net.node("Add", [a, b]), 0.03, 0))


@malformed("Flatten at an axis that is not there", "flatten_2")
def flatten_axis(folder: Path) -> Made:
    net = Net()
    return net.quantized(net.same("Flatten", net.image(1, 3, 4, 4), axis=7))


@malformed("Squeeze of an axis that is not 1", "squeeze_2")
def squeeze_axis(folder: Path) -> Made:
    net = Net()
    return net.quantized(net.same("Squeeze", net.image(1, 3, 4, 4), inputs=[net.shape(1)]))


@malformed("Slice with step 0", "slice_2")
def slice_step_0(folder: Path) -> Made:
    net = Net()
    return net.quantized(
        net.same("Slice", net.image(1, 3, 4, 4), inputs=[net.shape(0), net.shape(4), net.shape(2), net.shape(0)])
    )


@malformed("Slice of nothing", "slice_2")
def slice_of_nothing(folder: Path) -> Made:
    net = Net()
    return net.quantized(net.same("Slice", net.image(1, 3, 4, 4), inputs=[net.shape(3), net.shape(2), net.shape(2)]))


@malformed("Split into parts that do not add up", "split_2")
def split_sizes(folder: Path) -> Made:
    net = Net()
    part = net.node("Split", [net.image(1, 6, 4, 4), net.shape(3, 4)], outputs=2, axis=1)
    return net.quantized(net.qdq(part, 0.03, 0))


@malformed("DepthToSpace whose block does not divide the channels", "depthtospace_2")
def depth_to_space_block(folder: Path) -> Made:
    net = Net()
    return net.quantized(net.same("DepthToSpace", net.image(1, 6, 4, 4), blocksize=2))


@malformed("Resize by 0", "resize_2")
def resize_by_0(folder: Path) -> Made:
    net = Net()
    scales = net.constant(np.array([1, 1, 0, 2], np.float32))
    return net.quantized(net.same("Resize", net.image(1, 3, 4, 4), inputs=["", scales], mode="nearest"))


@malformed("Resize by a negative factor and by NaN", "resize_2")
def resize_by_nan(folder: Path) -> Made:
    net = Net()
    scales = net.constant(np.array([1, 1, -2, np.nan], np.float32))
    return net.quantized(net.same("Resize", net.image(1, 3, 4, 4), inputs=["", scales], mode="nearest"))


@malformed("Pad by negative amounts that leave nothing", "pad_2")
def pad_to_nothing(folder: Path) -> Made:
    net = Net()
    return net.quantized(net.same("Pad", net.image(1, 3, 4, 4), inputs=[net.shape(0, 0, -2, 0, 0, 0, -2, 0)]))


@malformed("a reflection wider than the image", "pad_2")
def reflection_too_wide(folder: Path) -> Made:
    net = Net()
    return net.quantized(net.same("Pad", net.image(1, 3, 4, 4), inputs=[net.shape(0, 0, 4, 0, 0, 0, 0, 0)], mode="reflect"))
