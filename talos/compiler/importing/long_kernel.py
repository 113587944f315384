"""Kernels of more taps than an instruction counts: cut into pieces that lie side by side as further input channels."""

import math
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from talos.compiler.graph.index import Index
from talos.compiler.importing.windows import Pair, Window
from talos.isa import INSTRUCTIONS, Opcode

__all__ = ["LONGEST_KERNEL", "shorten_kernel"]

LONGEST_KERNEL = next(field.high for field in INSTRUCTIONS[Opcode.MATMUL].body if field.name == "taps_h")

Weight = npt.NDArray[np.int16]


def shorten_kernel(index: Index, weight: Weight, window: Window, groups: int) -> tuple[Index, Weight, Window]:
    """A convolution with the same results, no side of whose kernel is longer than `LONGEST_KERNEL`.

    `index` is that of the operand, (1, channels, height, width), `weight` (out_channels, channels / groups, height, width). A piece of
    the kernel sees the image from its own first tap on; padding becomes part of the operand.
    """
    for axis in (0, 1):
        pieces = math.ceil(window.kernel[axis] / LONGEST_KERNEL)
        if pieces > 1:
            index, weight, window = _cut(index, weight, window, groups, axis, pieces)
    return index, weight, window


def _cut(index: Index, weight: Weight, window: Window, groups: int, axis: int, pieces: int) -> tuple[Index, Weight, Window]:
    taps = math.ceil(window.kernel[axis] / pieces)
    before, after = window.pads[axis], window.pads[axis + 2]
    size: Pair = (index.shape[2], index.shape[3])
    last = (window.outputs(size)[axis] - 1) * window.strides[axis]
    length = last + (taps - 1) * window.dilations[axis] + 1  # what a piece sees
    steps = taps * window.dilations[axis]
    missing = max(0, (pieces - 1) * steps + length - (size[axis] + before + after))  # taps that fill up the last piece
    padded = np.pad(index, [(before, after + missing) if at == axis + 2 else (0, 0) for at in range(4)], constant_values=-1)
    filled = np.pad(weight, [(0, pieces * taps - window.kernel[axis]) if at == axis + 2 else (0, 0) for at in range(4)])
    parts = [padded.take(range(piece * steps, piece * steps + length), axis + 2) for piece in range(pieces)]
    weights = [filled.take(range(piece * taps, (piece + 1) * taps), axis + 2) for piece in range(pieces)]
    # Each group has its own channels in all pieces next to each other.
    channels = np.stack([part.reshape(1, groups, -1, *part.shape[2:]) for part in parts], axis=2)
    kernel, pads = list(window.kernel), list(window.pads)
    kernel[axis], pads[axis], pads[axis + 2] = taps, 0, 0
    shorter = replace(window, kernel=(kernel[0], kernel[1]), pads=(pads[0], pads[1], pads[2], pads[3]))
    return channels.reshape(1, -1, *channels.shape[4:]), np.concatenate(weights, axis=1), shorter
