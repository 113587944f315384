"""Phases of an image from channels to space, and the crop of its borders."""

import numpy as np
import onnx_ir as ir

from talos.compiler.prepare.edit import Rewrite

__all__ = ["crop", "interleave"]


def interleave(rewrite: Rewrite, x: ir.Value, channels: int, size: tuple[int, ...], factors: tuple[int, ...]) -> ir.Value:
    """Image (1, `channels` · ∏ `factors`, *`size`), phases within a channel, → (1, `channels`, *(`size` · `factors`)).

    Element (c, phase, position) goes to (c, position · factor + phase) on each axis.
    """
    result = (1, channels, *(length * factor for length, factor in zip(size, factors, strict=True)))
    if all(factor == 1 for factor in factors):
        return x
    if len(factors) == 2 and factors[0] == factors[1]:
        return rewrite.op("DepthToSpace", [x], result, label="shuffle", blocksize=factors[0], mode="CRD")
    split, axes = (1, channels, *factors, *size), len(factors)
    order = [0, 1]
    for axis in range(axes):
        order += [2 + axes + axis, 2 + axis]
    x = rewrite.op("Reshape", [x, np.array(split)], split, label="split")
    x = rewrite.op("Transpose", [x], [split[axis] for axis in order], label="shuffle", perm=order)
    return rewrite.op("Reshape", [x, np.array(result)], result, label="merge")


def crop(
    rewrite: Rewrite, x: ir.Value, channels: int, size: tuple[int, ...], start: tuple[int, ...], end: tuple[int, ...]
) -> ir.Value:
    """The part [`start`, `end`) of an image (1, `channels`, *`size`)."""
    if all(s == 0 and e == length for s, e, length in zip(start, end, size, strict=True)):
        return x
    shape = (1, channels, *(e - s for s, e in zip(start, end, strict=True)))
    axes = np.arange(2, 2 + len(size))
    return rewrite.op("Slice", [x, np.array(start), np.array(end), axes], shape, label="crop")
