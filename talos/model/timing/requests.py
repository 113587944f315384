"""Cycle behaviour of `talos/rtl/requests.py` and `talos/rtl/burst.py`, with the address side of `talos/rtl/stage.py`: rows as AXI bursts.

A unit keeps this block of `REQUESTS_SIZE` entries at `b` in its state `x`, whose first `GEOMETRY_SIZE` entries are `geometry(config)`.
Addresses matter modulo the longest burst only. In each cycle `requests_beats` and `requests_tag` describe the burst on offer;
`requests_clock(x, b, taken)` ends the cycle; after it, if an instruction started, `requests_stage` (only if `requests_room` was true in
that cycle), or `requests_load` where the unit has no such stage (only if `requests_free` was true).
"""

import numpy as np
from numpy.typing import NDArray

from talos.config import AcceleratorConfig
from talos.model.timing.compiled import compiled

__all__ = [
    "BEAT_BYTES",
    "BEAT_SHIFT",
    "GEOMETRY_SIZE",
    "MAX_BURST",
    "REQUESTS_SIZE",
    "SEGMENT_MASK",
    "geometry",
    "requests_active",
    "requests_beats",
    "requests_clock",
    "requests_free",
    "requests_load",
    "requests_room",
    "requests_stage",
    "requests_tag",
]

# The geometry at the beginning of a unit's state.
BEAT_BYTES = 0
BEAT_SHIFT = 1
MAX_BURST = 2
SEGMENT_MASK = 3  # bytes of the longest burst - 1
_SEGMENT_SHIFT = 4
GEOMETRY_SIZE = 5

# The block.
_VALID = 0  # a burst is on offer
_BEGIN = 1  # its first position in the segment
_END = 2  # the run's last position in the run's last segment
_LEFT = 3  # segments after this one
_LAST = 4  # the run is its instruction's last
_TAG = 5
_NEST = 6  # the loop nest is at work
_OFFSET = 7
_PLANE_OFFSET = 8
_ROWS_LEFT = 9
_PLANES_LEFT = 10
_ROWS = 11
_BYTES = 12
_ROW_STRIDE = 13
_PLANE_STRIDE = 14
_NEST_TAG = 15
_SPARE = 16  # a row waits in front of the splitter
_SPARE_OFFSET = 17
_SPARE_BYTES = 18
_SPARE_LAST = 19
_SPARE_TAG = 20
_STAGED = 21  # an instruction is in the stage and not yet in the loop nest; then its values
_INSTRUCTION = 22
_VALUES = 7
REQUESTS_SIZE = _INSTRUCTION + _VALUES


def geometry(config: AcceleratorConfig) -> NDArray[np.int64]:
    """The constants, (GEOMETRY_SIZE,) int64."""
    segment = config.beat_bytes * config.max_burst
    return np.array(
        [config.beat_bytes, config.beat_bytes.bit_length() - 1, config.max_burst, segment - 1, segment.bit_length() - 1], np.int64
    )


@compiled
def requests_free(x: NDArray[np.int64], b: int) -> bool:
    """The loop nest can be loaded in this cycle."""
    return x[b + _NEST] == 0


@compiled
def requests_room(x: NDArray[np.int64], b: int) -> bool:
    """The stage takes an instruction in this cycle, as far as this side is concerned."""
    return x[b + _STAGED] == 0 or x[b + _NEST] == 0


@compiled
def requests_active(x: NDArray[np.int64], b: int) -> bool:
    """Bursts are still to be asked for."""
    return x[b + _NEST] != 0 or x[b + _VALID] != 0 or x[b + _STAGED] != 0


@compiled
def requests_beats(x: NDArray[np.int64], b: int) -> int:
    """Beats of the burst on offer, 0 if there is none."""
    if x[b + _VALID] == 0:
        return 0
    stop = x[b + _END] + 1 if x[b + _LEFT] == 0 else x[MAX_BURST]
    return stop - x[b + _BEGIN]


@compiled
def requests_tag(x: NDArray[np.int64], b: int) -> int:
    """The tag if the burst on offer is the last of its instruction, -1 otherwise."""
    if x[b + _LEFT] == 0 and x[b + _LAST] != 0:
        return x[b + _TAG]
    return -1


@compiled
def requests_clock(x: NDArray[np.int64], b: int, taken: int) -> None:
    """One cycle ends; `taken`: the burst on offer was accepted."""
    loads = x[b + _STAGED] != 0 and x[b + _NEST] == 0
    if x[b + _VALID] != 0 and (taken == 0 or x[b + _LEFT] != 0):
        if taken != 0:
            x[b + _LEFT] -= 1
            x[b + _BEGIN] = 0
        if x[b + _NEST] != 0 and x[b + _SPARE] == 0:
            x[b + _SPARE] = 1
            x[b + _SPARE_OFFSET] = x[b + _OFFSET]
            x[b + _SPARE_BYTES] = x[b + _BYTES]
            x[b + _SPARE_TAG] = x[b + _NEST_TAG]
            x[b + _SPARE_LAST] = _step(x, b)
    elif x[b + _SPARE] != 0:
        _split(x, b, x[b + _SPARE_OFFSET], x[b + _SPARE_BYTES], x[b + _SPARE_LAST], x[b + _SPARE_TAG])
        x[b + _SPARE] = 0
    elif x[b + _NEST] != 0:
        offset = x[b + _OFFSET]
        _split(x, b, offset, x[b + _BYTES], _step(x, b), x[b + _NEST_TAG])
    else:
        x[b + _VALID] = 0
    if loads:
        i = b + _INSTRUCTION
        x[b + _STAGED] = 0
        requests_load(x, b, x[i], x[i + 1], x[i + 2], x[i + 3], x[i + 4], x[i + 5], x[i + 6])


@compiled
def _split(x: NDArray[np.int64], b: int, offset: int, length: int, last: int, tag: int) -> None:
    """The splitter takes a row of `length` bytes."""
    stop = offset + length - 1
    x[b + _VALID] = 1
    x[b + _BEGIN] = offset >> x[BEAT_SHIFT]
    x[b + _END] = (stop & x[SEGMENT_MASK]) >> x[BEAT_SHIFT]
    x[b + _LEFT] = stop >> x[_SEGMENT_SHIFT]
    x[b + _TAG] = tag
    x[b + _LAST] = last


@compiled
def _step(x: NDArray[np.int64], b: int) -> int:
    """The loop nest goes to its next row; 1 if the one that it leaves is the last."""
    if x[b + _ROWS_LEFT] != 0:
        x[b + _ROWS_LEFT] -= 1
        x[b + _OFFSET] = (x[b + _OFFSET] + x[b + _ROW_STRIDE]) & x[SEGMENT_MASK]
        return 0
    if x[b + _PLANES_LEFT] != 0:
        x[b + _PLANES_LEFT] -= 1
        x[b + _ROWS_LEFT] = x[b + _ROWS]
        offset = (x[b + _PLANE_OFFSET] + x[b + _PLANE_STRIDE]) & x[SEGMENT_MASK]
        x[b + _PLANE_OFFSET] = offset
        x[b + _OFFSET] = offset
        return 0
    x[b + _NEST] = 0
    return 1


@compiled
def requests_stage(
    x: NDArray[np.int64],
    b: int,
    address: int,
    row_bytes: int,
    rows: int,
    planes: int,
    row_stride: int,
    plane_stride: int,
    tag: int,
) -> None:
    """The stage takes an instruction at the end of this cycle. As for `requests_load`."""
    i = b + _INSTRUCTION
    x[b + _STAGED] = 1
    x[i] = address
    x[i + 1] = row_bytes
    x[i + 2] = rows
    x[i + 3] = planes
    x[i + 4] = row_stride
    x[i + 5] = plane_stride
    x[i + 6] = tag


@compiled
def requests_load(
    x: NDArray[np.int64],
    b: int,
    address: int,
    row_bytes: int,
    rows: int,
    planes: int,
    row_stride: int,
    plane_stride: int,
    tag: int,
) -> None:
    """The loop nest takes an instruction at the end of this cycle. Counts are counts, `address` is any DRAM byte address."""
    offset = address & x[SEGMENT_MASK]
    x[b + _NEST] = 1
    x[b + _OFFSET] = offset
    x[b + _PLANE_OFFSET] = offset
    x[b + _ROWS_LEFT] = rows - 1
    x[b + _PLANES_LEFT] = planes - 1
    x[b + _ROWS] = rows - 1
    x[b + _BYTES] = row_bytes
    x[b + _ROW_STRIDE] = row_stride
    x[b + _PLANE_STRIDE] = plane_stride
    x[b + _NEST_TAG] = tag
