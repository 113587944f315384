"""Where the elements of an ONNX value lie among the bytes of its tensor, as integer arrays; see `talos.compiler.importing.values`."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = [
    "Index",
    "MemoryOrder",
    "Pads",
    "channel_axis",
    "is_permutation",
    "is_transposition",
    "loops",
    "memory_order",
    "nchw_index",
    "strip_borders",
]

Index = npt.NDArray[np.int32]
Pads = tuple[int, int, int, int]


def nchw_index(shape: tuple[int, int, int]) -> Index:
    """Where the elements of an ONNX value (1, channels, height, width) lie in a tensor of `shape` (height, width, channels)."""
    return np.arange(np.prod(shape), dtype=np.int32).reshape(shape).transpose(2, 0, 1)[np.newaxis]


@dataclass(frozen=True)
class MemoryOrder:
    """A tensor's `shape` (height, width, channels), and where the elements of the ONNX value that it holds lie in it."""

    shape: tuple[int, int, int]
    index: Index

    def laid(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """`values`, one for each element in the ONNX value's shape, in the tensor's."""
        result = np.empty(self.index.size, values.dtype)
        result[self.index.reshape(-1)] = values.reshape(-1)
        return result.reshape(self.shape)


def memory_order(shape: tuple[int, ...], axis: int) -> MemoryOrder:
    """The tensor for an ONNX value of `shape` whose channels are along `axis`: an image if it has four dimensions, else one row."""
    rest = [number for number in range(len(shape)) if number != axis]
    order = [*rest, axis] if shape else []
    moved = tuple(shape[number] for number in order)
    index = np.arange(np.prod(shape, dtype=np.int64), dtype=np.int32).reshape(moved).transpose(np.argsort(order))
    channels = moved[-1] if moved else 1
    is_image = len(shape) == 4 and moved[0] == 1
    return MemoryOrder((moved[1], moved[2], channels) if is_image else (1, index.size // channels, channels), index)


def channel_axis(index: Index) -> int:
    """The axis of `index` along which elements follow each other in memory; without one, 1 (the channels of ONNX) or the last."""
    for axis in sorted(range(index.ndim), key=lambda axis: axis != 1):
        here, there = np.delete(index, -1, axis), np.delete(index, 0, axis)
        stored = (here >= 0) & (there >= 0)
        if np.count_nonzero((there - here == 1) & stored) > 0.9 * np.count_nonzero(stored):
            return axis
    return min(1, max(index.ndim - 1, 0))


def is_permutation(index: Index, shape: tuple[int, ...]) -> bool:
    """Whether `index` names each byte of a tensor of `shape` exactly once."""
    size = int(np.prod(shape))
    if index.size != size:
        return False
    flat = index.reshape(-1)
    if flat.size and (flat.min() < 0 or flat.max() >= size):
        return False
    seen = np.zeros(size, bool)
    seen[flat] = True
    return bool(seen.all())


def strip_borders(wanted: Index) -> tuple[Pads, Index]:
    """Rows and columns of an (H, W, C) index at the edges that are all -1, as pads, and what is inside."""
    stored = wanted >= 0
    rows, columns = np.flatnonzero(stored.any(axis=(1, 2))), np.flatnonzero(stored.any(axis=(0, 2)))
    if not rows.size:
        return (0, 0, 0, 0), wanted
    top, left, bottom, right = int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1
    return (top, left, wanted.shape[0] - bottom, wanted.shape[1] - right), wanted[top:bottom, left:right]


def is_transposition(index: Index, shape: tuple[int, ...]) -> bool:
    """Whether `index` names each byte of a tensor of `shape` once, in an order that reshaping and transposing give: the host's way."""
    return is_permutation(index, shape) and loops(index.reshape(-1)) is not None


def loops(order: Index) -> list[tuple[int, int]] | None:
    """`order` as a nest of (size, stride) loops, outermost first; None if it is not one."""
    factors: list[tuple[int, int]] = []
    rest = np.asarray(order, dtype=np.int64)
    while rest.size > 1:
        stride = int(rest[1] - rest[0])
        if stride < 1:  # reversed: no reshape and transpose does that
            return None
        breaks = np.flatnonzero(np.diff(rest) != stride)
        run = int(breaks[0]) + 1 if breaks.size else rest.size
        if rest.size % run:
            return None
        table = rest.reshape(-1, run)
        if not (table == table[:, :1] + stride * np.arange(run)).all():
            return None
        factors.insert(0, (run, stride))
        rest = table[:, 0]
    return factors
