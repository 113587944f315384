"""Data movement that the array does: strided Slice, crop, zero channels and borders, as a convolution with weights 0 and 1."""

import numpy as np

from talos.compiler.index import Index
from talos.compiler.ir import Conv, Tensor

__all__ = ["copy_layer"]


def copy_layer(node: str, tensor: Tensor, wanted: Index) -> Conv | None:
    """A layer whose output has at (h, w, c) the byte `wanted[h, w, c]` of `tensor`, or 0.0 where that is -1.

    Rows and columns must be affine (a start and a positive step) and channels the same everywhere; None otherwise. Exact: each sum has
    one term, with weight and multiplier 1.
    """
    height, width, channels = tensor.shape
    stored = wanted >= 0
    rows, columns, inputs = wanted // (width * channels), wanted // channels % width, wanted % channels
    row_map, column_map, channel_map = (_along(axis, position, stored) for axis, position in enumerate((rows, columns, inputs)))
    if row_map is None or column_map is None or channel_map is None:
        return None
    vertical, horizontal = _affine(row_map, height), _affine(column_map, width)
    if vertical is None or horizontal is None:
        return None
    (stride_h, kernel_h, tap_h, top, bottom), (stride_w, kernel_w, tap_w, left, right) = vertical, horizontal
    count = wanted.shape[2]
    depthwise = count == channels and np.array_equal(channel_map, np.arange(channels))
    weight = np.zeros((count, kernel_h, kernel_w, 1 if depthwise else channels), np.int8)
    for channel, source in enumerate(channel_map):
        if source >= 0:
            weight[channel, tap_h, tap_w, 0 if depthwise else source] = 1
    # What the maps say must be what is wanted: a mask that is not rows × columns × channels would show here.
    expected = (row_map[:, None, None] * width + column_map[None, :, None]) * channels + channel_map[None, None, :]
    holes = (row_map < 0)[:, None, None] | (column_map < 0)[None, :, None] | (channel_map < 0)[None, None, :]
    if not np.array_equal(np.where(holes, -1, expected), wanted):
        return None
    output = Tensor(f"{node}:copy", (wanted.shape[0], wanted.shape[1], count), tensor.scale, tensor.zero_point, tensor.unsigned)
    return Conv(
        name=node,
        nodes=(node,),
        inputs=[tensor],
        output=output,
        weight=weight,
        bias=np.zeros(count, np.int32),
        multiplier=np.ones(count, np.float32),
        strides=(stride_h, stride_w),
        pads=(top, left, bottom, right),
        groups=channels if depthwise else 1,
        copy=True,
    )


def _along(axis: int, position: Index, stored: np.ndarray) -> Index | None:
    """For each place along `axis`, the one position it reads (-1: none); None if that depends on the other axes."""
    others = tuple(other for other in range(3) if other != axis)
    high = np.where(stored, position, -1).max(axis=others)
    low = np.where(stored, position, np.iinfo(np.int32).max).min(axis=others)
    return high if bool(np.all((high < 0) | (high == low))) else None


def _affine(positions: Index, size: int) -> tuple[int, int, int, int, int] | None:
    """(stride, kernel, tap, pad before, pad after) of a one-tap convolution reading `positions` of `size`; None if there is none."""
    places = np.flatnonzero(positions >= 0)
    if not places.size:
        return None
    steps = np.diff(positions[places])
    stride = int(steps[0]) if steps.size else 1
    if stride < 1 or (steps != stride).any() or (np.diff(places) != 1).any():
        return None
    start = int(positions[places[0]]) - stride * int(places[0])  # what place 0 reads
    before, tap = max(-start, 0), max(start, 0)
    last = start + stride * (len(positions) - 1)  # what the last place reads
    kernel = tap + 1
    surplus = size - 1 - last  # rows behind the last one read: the window grows over them unless the stride skips them
    if surplus >= stride:
        kernel += surplus - stride + 1
    after = max(-surplus, 0)
    # Places in the padding must really be padding, and the window must not reach more places than wanted.
    inside = (np.arange(len(positions)) * stride + start >= 0) & (np.arange(len(positions)) * stride + start < size)
    if not np.array_equal(inside, positions >= 0):
        return None
    if (size + before + after - kernel) // stride + 1 != len(positions):
        return None
    return stride, kernel, tap, before, after
