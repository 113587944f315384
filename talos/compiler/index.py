"""Where the elements of an ONNX value lie among the bytes of its tensor, as integer arrays; see `talos.compiler.values`."""

import numpy as np
import numpy.typing as npt

__all__ = ["Index", "Pads", "is_permutation", "loops", "nchw_index", "strip_borders"]

Index = npt.NDArray[np.int32]
Pads = tuple[int, int, int, int]


def nchw_index(shape: tuple[int, int, int]) -> Index:
    """Where the elements of an ONNX value (1, channels, height, width) lie in a tensor of `shape` (height, width, channels)."""
    return np.arange(np.prod(shape), dtype=np.int32).reshape(shape).transpose(2, 0, 1)[np.newaxis]


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


def loops(order: Index) -> list[tuple[int, int]] | None:
    """`order` as a nest of (size, stride) loops, outermost first; None if it is not one."""
    factors: list[tuple[int, int]] = []
    rest = np.asarray(order, dtype=np.int64)
    while rest.size > 1:
        stride = int(rest[1] - rest[0])
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
