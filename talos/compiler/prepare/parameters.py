"""Constant operands of a layer, float or quantized, so that a rewrite may rearrange both in the same way."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from talos.compiler.prepare.edit import Rewrite, attribute, constant

__all__ = ["Parameter", "parameter"]

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Parameter:
    """Float32 numbers, or integer codes with `scale` and `zero`, which are scalars or have one entry per channel."""

    array: Array
    scale: Array | None = None
    zero: Array | None = None

    @property
    def fill(self) -> Array:
        """What stands for 0.0 in `array`: one number, or one per channel."""
        return np.zeros((), self.array.dtype) if self.zero is None else self.zero

    def rearranged(self, array: Array, channels: npt.NDArray[np.int64]) -> "Parameter":
        """The same numbers as `array`, whose channels, now along axis 0, are those of the entries `channels` so far."""
        if self.scale is None or self.zero is None or not self.scale.ndim:
            return replace(self, array=array)
        return Parameter(array, self.scale[channels], self.zero[channels])

    def operand(self, rewrite: Rewrite, label: str) -> ir.Value | Array:
        """Itself as an input of a new node: codes are dequantized, along axis 0."""
        if self.scale is None or self.zero is None:
            return self.array
        attributes = {"axis": 0} if self.scale.ndim else {}
        return rewrite.op("DequantizeLinear", [self.array, self.scale, self.zero], self.array.shape, label=label, **attributes)


def parameter(node: ir.Node, position: int, axis: int) -> Parameter | None:
    """Input `position` if it is a float32 constant, or DequantizeLinear of one with its channels along `axis`; else None."""
    value = node.inputs[position] if position < len(node.inputs) else None
    maker = value.producer() if value is not None else None
    if maker is None or maker.op_type != "DequantizeLinear":
        array = constant(value)
        return Parameter(array) if array is not None and array.dtype == np.float32 else None
    codes, scale = constant(maker.inputs[0]), constant(maker.inputs[1])
    given = constant(maker.inputs[2]) if len(maker.inputs) > 2 else None
    if codes is None or scale is None or (given is None and len(maker.inputs) > 2 and maker.inputs[2] is not None):
        return None
    zero = np.zeros(scale.shape, codes.dtype) if given is None else given
    if scale.size == zero.size == 1:
        return Parameter(codes, scale.reshape(()), zero.reshape(()))
    along = attribute(maker, "axis", 1) % codes.ndim if codes.ndim else 0
    if along != axis or scale.shape != (codes.shape[axis],) or zero.shape != scale.shape:
        return None
    return Parameter(codes, scale, zero)
