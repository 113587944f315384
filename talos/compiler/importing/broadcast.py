"""Operands of element-wise operators, broadcast as ONNX does, as tensors whose bytes belong together."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx_ir

from talos.compiler.graph.index import Index, channel_axis, is_permutation, is_transposition, memory_order
from talos.compiler.graph.ir import Tensor
from talos.compiler.importing.importer import Importer
from talos.compiler.importing.values import Activation, Constant, Feed, QuantizedConstant

__all__ = ["ConstantOperand", "Operand", "align", "constant_operand", "per_channel"]


@dataclass(frozen=True)
class ConstantOperand:
    """A constant as int8 `codes` of its ONNX shape with one scale and zero point (an int8 code).

    `per_tensor` says that the model quantizes it so; without, the codes are another way to write the same float32 numbers.
    """

    name: str
    codes: npt.NDArray[np.int8]
    scale: np.float32
    zero_point: int
    unsigned: bool
    per_tensor: bool

    real = True

    @property
    def shape(self) -> tuple[int, ...]:
        """The ONNX shape."""
        return self.codes.shape


Operand = Activation | ConstantOperand


def constant_operand(importer: Importer, node: onnx_ir.Node, position: int) -> ConstantOperand:
    """The constant that is input `position` of `node`.

    A float constant is taken if its numbers are exactly multiples of one step, with codes that fit 8 bits. Raises TalosError otherwise.
    """
    value = importer.value(node, position)
    source = node.inputs[position]
    name = str(source.name) if source is not None else ""
    if isinstance(value, QuantizedConstant) and value.codes.dtype in (np.int8, np.uint8) and value.scale.size == 1:
        unsigned = value.codes.dtype == np.uint8
        codes = np.ascontiguousarray(value.codes)
        codes = (codes ^ np.uint8(0x80)).view(np.int8) if unsigned else codes
        scale, zero = np.float32(value.scale.reshape(-1)[0]), int(value.zero_point.reshape(-1)[0])
        return ConstantOperand(name, codes.astype(np.int8), scale, zero - 128 * unsigned, unsigned, True)
    array = importer.constant(node, position)
    found = _multiples(array) if array is not None and array.dtype == np.float32 else None
    if found is None:
        raise importer.error(
            node,
            f"its constant operand '{name}' is not quantized with one scale",
            "quantize the constant (QuantizeLinear and DequantizeLinear, or int8 codes with DequantizeLinear)",
        )
    return ConstantOperand(name, *found, False, False)


def _multiples(array: npt.NDArray[np.float32]) -> tuple[npt.NDArray[np.int8], np.float32, int] | None:
    """(codes, scale, zero point) with `scale * (codes - zero point)` exactly `array` in float32; None if there are none."""
    sizes = np.abs(array[array != 0])
    if not np.isfinite(array).all():
        return None
    for divisor in range(1, 256):
        scale = sizes.min() / np.float32(divisor) if sizes.size else np.float32(1)
        with np.errstate(all="ignore"):
            steps = np.rint(array / scale)
        if not np.isfinite(steps).all() or steps.max(initial=0) - steps.min(initial=0) > 255:
            return None
        zero = int(np.clip(-128 - steps.min(initial=0), -128, 127))
        if np.array_equal(steps.astype(np.float32) * scale, array):
            return (steps + zero).astype(np.int8), np.float32(scale), zero
    return None


def align(
    importer: Importer, node: onnx_ir.Node, operands: Sequence[Operand], shape: tuple[int, ...]
) -> tuple[list[Tensor], tuple[int, int, int], Index]:
    """The operands as tensors; height, width, channels of the result, and its ONNX order (ONNX `shape`).

    A tensor has the result's height, width and channels, or at most one of them is (1, 1, channels): an operand that is the same in all
    pixels. Operands that lie differently from what is needed are rearranged.
    """
    layout, index = _layout(importer, node, operands, shape)
    order = np.argsort(index.reshape(-1))
    tensors: list[Tensor] = []
    for operand in operands:
        collapse = all(tensor.shape == layout for tensor in tensors)
        tensors.append(_aligned(importer, node, operand, shape, order, layout, collapse))
    return tensors, layout, index


def _layout(
    importer: Importer, node: onnx_ir.Node, operands: Sequence[Operand], shape: tuple[int, ...]
) -> tuple[tuple[int, int, int], Index]:
    """The shape of the result's tensor, and its ONNX order: those of an activation that has all its elements, if there is one."""
    size = int(np.prod(shape))
    full = [operand for operand in operands if isinstance(operand, Activation) and operand.index.size == size]
    for operand in sorted(full, key=lambda operand: _undecided(operand.source)):
        tensor, index = importer.locate(operand)
        if is_permutation(index, tensor.shape):
            return tensor.shape, index.reshape(shape)
    axis = channel_axis(importer.locate(full[0])[1].reshape(shape)) if full else min(1, len(shape) - 1)
    order = memory_order(shape, axis)
    return order.shape, order.index


def _undecided(source: Tensor | Feed) -> bool:
    return isinstance(source, Feed) and source.order is None


def _aligned(
    importer: Importer,
    node: onnx_ir.Node,
    operand: Operand,
    shape: tuple[int, ...],
    order: npt.NDArray[np.intp],
    layout: tuple[int, int, int],
    collapse: bool,
) -> Tensor:
    """`operand` as a tensor of the result's `layout`, or if it may `collapse` of one pixel; `order[p]` is the ONNX position of byte p."""

    def spread(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
        laid = np.broadcast_to(array, shape).reshape(-1)[order].reshape(layout)
        return laid[:1, :1] if collapse and (laid == laid[:1, :1]).all() else laid

    if isinstance(operand, ConstantOperand):
        codes = np.ascontiguousarray(spread(operand.codes))
        return Tensor(operand.name, codes.shape, operand.scale, operand.zero_point, operand.unsigned, codes)
    source = operand.source
    if isinstance(source, Feed) and source.order is None and _is_all_of(operand.index, source, order):
        importer.lay_out(source, operand.index.reshape(-1)[order], layout)
    tensor, index = importer.locate(operand)
    wanted = spread(index)
    return importer.gathered(node, tensor, wanted, operand.nodes)


def _is_all_of(index: Index, feed: Feed, order: npt.NDArray[Any]) -> bool:
    return index.size == order.size and is_transposition(index.reshape(-1)[order], feed.shape)


def per_channel(constant: Constant | QuantizedConstant, index: Index, channels: int) -> Constant | QuantizedConstant | None:
    """`constant`, broadcast to the ONNX value at `index` as ONNX does, as one value per channel; None if it differs within one."""

    def vector(array: npt.NDArray[Any]) -> npt.NDArray[Any] | None:
        try:
            full = np.broadcast_to(array, index.shape).reshape(-1)
        except ValueError:
            return None
        channel = index.reshape(-1) % channels
        values = np.empty(channels, array.dtype)
        values[channel] = full
        return values if np.array_equal(values[channel], full) else None

    if isinstance(constant, Constant):
        array = vector(constant.array)
        return None if array is None else Constant(array)
    parts = [vector(part) for part in (constant.codes, constant.scale, constant.zero_point)]
    codes, scale, zero_point = parts
    return None if codes is None or scale is None or zero_point is None else QuantizedConstant(codes, scale, zero_point)
