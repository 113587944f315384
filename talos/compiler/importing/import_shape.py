"""Operators that only rename, reorder, cut or repeat elements: they change where elements are looked for, not bytes."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx_ir

from talos.compiler.importing.importer import Importer
from talos.compiler.importing.values import Activation, Constant, Pending, PendingFunction, QuantizedConstant

__all__ = ["HANDLERS", "move"]

Change = Callable[[npt.NDArray[Any]], npt.NDArray[Any]]


def move(importer: Importer, node: onnx_ir.Node, change: Change, *, output: int = 0, keeps_axes: bool = False) -> None:
    """Output `output` of `node` is its operand after `change`, a NumPy function on an array of the operand's ONNX shape.

    `keeps_axes`: a vector along one axis stays one. Raises TalosError for an empty result.
    """
    value = importer.value(node, 0)
    if value is None:
        raise importer.invalid(node, "it has no operand", "check the model")
    if isinstance(value, Constant):
        importer.set(node, Constant(change(value.array)), output)
        return
    if isinstance(value, QuantizedConstant):
        scale, zero_point = value.scale, value.zero_point
        if not keeps_axes:  # one for each code: which of them lie along one axis is seen where they are used
            scale, zero_point = np.broadcast_to(scale, value.codes.shape), np.broadcast_to(zero_point, value.codes.shape)
        scale = change(scale) if scale.ndim else scale
        zero_point = change(zero_point) if zero_point.ndim else zero_point
        importer.set(node, QuantizedConstant(change(value.codes), scale, zero_point), output)
        return
    index = change(value.index)
    if not index.size:
        raise importer.error(node, f"its result has the shape {list(index.shape)}, which is empty", "remove the node")
    if isinstance(value, Activation):
        importer.set(node, replace(value, index=index, nodes=(*value.nodes, str(node.name))), output)
    elif isinstance(value, Pending):
        importer.set(node, replace(value, index=index), output)
    elif isinstance(value, PendingFunction):
        importer.set(node, replace(value, operand=replace(value.operand, index=index)), output)


def _rank(importer: Importer, node: onnx_ir.Node) -> int:
    """The number of dimensions of operand 0."""
    value = importer.value(node, 0)
    if value is None:
        raise importer.invalid(node, "it has no operand", "check the model")
    if isinstance(value, Constant):
        return value.array.ndim
    return value.codes.ndim if isinstance(value, QuantizedConstant) else value.index.ndim


def _axis(importer: Importer, node: onnx_ir.Node, axis: int) -> int:
    """`axis` of operand 0, counted from the front. Raises TalosError if there is none."""
    rank = _rank(importer, node)
    if not -rank <= axis < rank:
        raise importer.error(node, f"axis {axis} of {rank} dimensions", "check the model")
    return axis % rank


def _vector(importer: Importer, node: onnx_ir.Node, position: int, name: str) -> list[int] | None:
    """Integers that are input `position` of `node`, or its attribute `name` in old opsets; None if it has neither."""
    array = importer.constant(node, position)
    values = importer.attribute(node, name) if array is None else array.reshape(-1).tolist()
    return None if values is None else [int(value) for value in np.atleast_1d(values)]


def _identity(importer: Importer, node: onnx_ir.Node) -> None:
    value = importer.value(node, 0)
    if value is None:
        raise importer.invalid(node, "it has no operand", "check the model")
    if len(node.outputs) > 1 and node.outputs[1] is not None and node.outputs[1].uses():
        raise importer.error(node, "its mask output is used", "export the model for inference")
    importer.set(node, value)


def _reshape(importer: Importer, node: onnx_ir.Node) -> None:
    """Reshape, Flatten, Squeeze and Unsqueeze: shape inference has worked out the result."""
    shape = importer.output_shape(node)
    move(importer, node, lambda array: array.reshape(shape))


def _transpose(importer: Importer, node: onnx_ir.Node) -> None:
    order = importer.attribute(node, "perm")
    move(importer, node, lambda array: array.transpose(order), keeps_axes=True)


def _slice(importer: Importer, node: onnx_ir.Node) -> None:
    starts, ends = _vector(importer, node, 1, "starts"), _vector(importer, node, 2, "ends")
    if starts is None or ends is None:
        raise importer.error(node, "it has no starts or no ends", "check the model")
    axes, steps = _vector(importer, node, 3, "axes"), _vector(importer, node, 4, "steps")
    axes = list(range(len(starts))) if axes is None else axes
    steps = [1] * len(starts) if steps is None else steps
    if not len(starts) == len(ends) == len(axes) == len(steps) or 0 in steps:
        raise importer.error(node, f"starts {starts}, ends {ends}, axes {axes}, steps {steps}", "check the model")
    cut: list[slice] = [slice(None)] * _rank(importer, node)
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        cut[_axis(importer, node, axis)] = slice(start, end, step)

    def change(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return array[tuple(_onnx_slice(part, size) for part, size in zip(cut, array.shape, strict=True))]

    move(importer, node, change)


def _onnx_slice(part: slice, size: int) -> slice:
    """`part` of `size` elements, for NumPy, which going backwards takes ends in front of the first element otherwise than ONNX."""
    if part.step is None or part.step > 0:
        return part
    start, end = (bound + size if bound < 0 else bound for bound in (part.start, part.stop))
    return slice(max(start, 0), None if end < 0 else end, part.step)


def _split(importer: Importer, node: onnx_ir.Node) -> None:
    axis = _axis(importer, node, int(importer.attribute(node, "axis", 0)))
    sizes = _vector(importer, node, 1, "split")
    count = len(node.outputs)
    value = importer.value(node, 0)
    if value is None or isinstance(value, (Constant, QuantizedConstant)):
        raise importer.error(node, "its operand is constant", "split it before export")
    length = value.index.shape[axis]
    if sizes is None:
        part = -(-length // count)
        sizes = [min(part, length - part * number) for number in range(count)]
    if len(sizes) != count or sum(sizes) != length or min(sizes) < 0:
        raise importer.error(node, f"parts of {sizes} for {length} elements and {count} outputs", "check the model")
    ends = np.cumsum(sizes)
    for number, (size, end) in enumerate(zip(sizes, ends, strict=True)):
        if importer.is_read(node, number):
            move(importer, node, partial(np.take, indices=np.arange(end - size, end), axis=axis), output=number)


def _gather(importer: Importer, node: onnx_ir.Node) -> None:
    axis = _axis(importer, node, int(importer.attribute(node, "axis", 0)))
    places = importer.constant(node, 1)
    if places is None:
        raise importer.error(node, "it has no indices", "check the model")

    def change(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
        size = array.shape[axis]
        if places.size and not (-size <= places.min() and places.max() < size):
            raise importer.error(node, f"an index beyond the {size} elements of axis {axis}", "check the model")
        return array.take(places, axis)

    move(importer, node, change)


def _expand(importer: Importer, node: onnx_ir.Node) -> None:
    shape = importer.output_shape(node)
    move(importer, node, lambda array: np.broadcast_to(array, shape))


def _tile(importer: Importer, node: onnx_ir.Node) -> None:
    repeats = _vector(importer, node, 1, "repeats")
    if repeats is None or len(repeats) != _rank(importer, node):
        raise importer.error(node, f"repeats {repeats} for {_rank(importer, node)} dimensions", "use opset 6 or newer")
    move(importer, node, lambda array: np.tile(array, repeats))


def _depth_to_space(importer: Importer, node: onnx_ir.Node) -> None:
    block, mode = int(importer.attribute(node, "blocksize")), importer.attribute(node, "mode", "DCR")

    def change(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
        count, channels, height, width = _image_shape(importer, node, array, channels=block * block)
        if mode == "CRD":
            parts = array.reshape(count, channels // block**2, block, block, height, width).transpose(0, 1, 4, 2, 5, 3)
        else:
            parts = array.reshape(count, block, block, channels // block**2, height, width).transpose(0, 3, 4, 1, 5, 2)
        return parts.reshape(count, channels // block**2, height * block, width * block)

    move(importer, node, change)


def _space_to_depth(importer: Importer, node: onnx_ir.Node) -> None:
    block = int(importer.attribute(node, "blocksize"))

    def change(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
        count, channels, height, width = _image_shape(importer, node, array, height=block, width=block)
        parts = array.reshape(count, channels, height // block, block, width // block, block).transpose(0, 3, 5, 1, 2, 4)
        return parts.reshape(count, channels * block**2, height // block, width // block)

    move(importer, node, change)


def _image_shape(
    importer: Importer, node: onnx_ir.Node, array: npt.NDArray[Any], channels: int = 1, height: int = 1, width: int = 1
) -> tuple[int, int, int, int]:
    """The shape of an array of four dimensions, the last three multiples of the numbers given. Raises TalosError for others."""
    if array.ndim != 4 or any(size % factor for size, factor in zip(array.shape[1:], (channels, height, width), strict=True)):
        raise importer.error(node, f"blocks do not fit its operand of shape {list(array.shape)}", "check the model")
    count, depth, rows, columns = array.shape
    return count, depth, rows, columns


HANDLERS = {
    "DepthToSpace": _depth_to_space,
    "Dropout": _identity,
    "Expand": _expand,
    "Flatten": _reshape,
    "Gather": _gather,
    "Identity": _identity,
    "Reshape": _reshape,
    "Slice": _slice,
    "SpaceToDepth": _space_to_depth,
    "Split": _split,
    "Squeeze": _reshape,
    "Tile": _tile,
    "Transpose": _transpose,
    "Unsqueeze": _reshape,
}
