"""Cycle behaviour of `talos/rtl/rows.py` with the data side of `talos/rtl/stage.py` in front of it: rows of bytes as beats.

A unit keeps this block of `ROWS_SIZE` entries at `b` in its state `x`, which begins with `requests.geometry(config)`. Entries that
others may read, while `b + BEAT_VALID` is not 0: `BEAT_ADDRESS` (on chip), `BEAT_TAG`. In each cycle `rows_clock(x, b, taken)`
ends the cycle; after it, `rows_push` if an instruction started (only while `rows_room` was true in that cycle).
"""

import numpy as np
from numpy.typing import NDArray

from talos.isa import ADDRESS
from talos.model.timing.compiled import compiled
from talos.model.timing.requests import BEAT_BYTES, BEAT_SHIFT, MAX_BURST, SEGMENT_MASK

__all__ = [
    "BEAT_ADDRESS",
    "BEAT_TAG",
    "BEAT_VALID",
    "ROWS_SIZE",
    "beat_burst_last",
    "beat_last",
    "rows_active",
    "rows_clock",
    "rows_push",
    "rows_room",
]

BEAT_VALID = 0
BEAT_ADDRESS = 1
BEAT_TAG = 2
_START = 3
_POSITION = 4  # of the beat in the segment that a burst may cover
_LEFT = 5  # beats of the row after this one
_LAST_ROW = 6
_NEST = 7
_STAGED = 8  # an instruction is in the stage
_OFFSET = 9
_PLANE_OFFSET = 10
_LOCAL = 11
_PLANE_LOCAL = 12
_ROWS_LEFT = 13
_SPARE = 14  # a row waits in front of the row register
_SPARE_OFFSET = 15
_SPARE_LOCAL = 16
_SPARE_BYTES = 17
_SPARE_LAST = 18
_SPARE_TAG = 19
_JOINED = 20  # an instruction is in the join
_INSTRUCTION = 21  # the instructions of the nest, of the join and of the stage, `_ENTRY` values each

_PLANES = 0  # planes left, in the nest's copy
_ROWS = 1
_BYTES = 2
_ROW_STRIDE = 3
_PLANE_STRIDE = 4
_LOCAL_ROW_STRIDE = 5
_LOCAL_PLANE_STRIDE = 6
_TAG = 7
_FIRST_OFFSET = 8
_FIRST_LOCAL = 9
_ENTRY = 10
_JOIN = _INSTRUCTION + _ENTRY
_STAGE = _JOIN + _ENTRY
ROWS_SIZE = _STAGE + _ENTRY

_ADDRESS_MASK = (1 << ADDRESS) - 1


@compiled
def rows_room(x: NDArray[np.int64], b: int) -> bool:
    """The stage takes an instruction in this cycle."""
    return x[b + _STAGED] == 0 or x[b + _JOINED] == 0 or x[b + _NEST] == 0


@compiled
def rows_active(x: NDArray[np.int64], b: int) -> bool:
    """Something is in the stage, in the join or in the walker."""
    return x[b + BEAT_VALID] != 0 or x[b + _NEST] != 0 or x[b + _JOINED] != 0 or x[b + _STAGED] != 0


@compiled
def beat_last(x: NDArray[np.int64], b: int) -> bool:
    """The beat on offer is its instruction's last."""
    return x[b + _LEFT] == 0 and x[b + _LAST_ROW] != 0


@compiled
def beat_burst_last(x: NDArray[np.int64], b: int) -> bool:
    """The beat on offer is its burst's last."""
    return x[b + _LEFT] == 0 or x[b + _POSITION] == x[MAX_BURST] - 1


@compiled
def rows_clock(x: NDArray[np.int64], b: int, taken: int) -> None:
    """One cycle ends; `taken`: the beat on offer was used."""
    join_free = x[b + _JOINED] == 0 or x[b + _NEST] == 0
    pop = x[b + _NEST] == 0 and x[b + _JOINED] != 0
    if x[b + BEAT_VALID] != 0 and (taken == 0 or x[b + _LEFT] != 0):
        if taken != 0:
            x[b + _LEFT] -= 1
            x[b + BEAT_ADDRESS] = (x[b + BEAT_ADDRESS] + x[BEAT_BYTES] - x[b + _START]) & _ADDRESS_MASK
            x[b + _START] = 0
            x[b + _POSITION] = (x[b + _POSITION] + 1) & (x[MAX_BURST] - 1)
        if x[b + _NEST] != 0 and x[b + _SPARE] == 0:
            i = b + _INSTRUCTION
            x[b + _SPARE] = 1
            x[b + _SPARE_OFFSET] = x[b + _OFFSET]
            x[b + _SPARE_LOCAL] = x[b + _LOCAL]
            x[b + _SPARE_BYTES] = x[i + _BYTES]
            x[b + _SPARE_TAG] = x[i + _TAG]
            x[b + _SPARE_LAST] = _step(x, b)
    elif x[b + _SPARE] != 0:
        _row(x, b, x[b + _SPARE_OFFSET], x[b + _SPARE_LOCAL], x[b + _SPARE_BYTES], x[b + _SPARE_LAST], x[b + _SPARE_TAG])
        x[b + _SPARE] = 0
    elif x[b + _NEST] != 0:
        i = b + _INSTRUCTION
        offset, local = x[b + _OFFSET], x[b + _LOCAL]
        _row(x, b, offset, local, x[i + _BYTES], _step(x, b), x[i + _TAG])
    else:
        x[b + BEAT_VALID] = 0
    if pop:
        _pop(x, b)
    if join_free:
        x[b + _JOINED] = x[b + _STAGED]
        x[b + _STAGED] = 0
        for k in range(_ENTRY):
            x[b + _JOIN + k] = x[b + _STAGE + k]


@compiled
def _row(x: NDArray[np.int64], b: int, offset: int, local: int, length: int, last: int, tag: int) -> None:
    """The row register takes a row of `length` bytes."""
    start = offset & (x[BEAT_BYTES] - 1)
    x[b + BEAT_VALID] = 1
    x[b + BEAT_ADDRESS] = local
    x[b + BEAT_TAG] = tag
    x[b + _START] = start
    x[b + _POSITION] = offset >> x[BEAT_SHIFT]
    x[b + _LEFT] = (start + length - 1) >> x[BEAT_SHIFT]
    x[b + _LAST_ROW] = last


@compiled
def _step(x: NDArray[np.int64], b: int) -> int:
    """The nest goes to its next row; 1 if the one that it leaves is the last."""
    i = b + _INSTRUCTION
    if x[b + _ROWS_LEFT] > 1:
        x[b + _ROWS_LEFT] -= 1
        x[b + _OFFSET] = (x[b + _OFFSET] + x[i + _ROW_STRIDE]) & x[SEGMENT_MASK]
        x[b + _LOCAL] = (x[b + _LOCAL] + x[i + _LOCAL_ROW_STRIDE]) & _ADDRESS_MASK
        return 0
    if x[i + _PLANES] > 1:
        x[i + _PLANES] -= 1
        x[b + _ROWS_LEFT] = x[i + _ROWS]
        offset = (x[b + _PLANE_OFFSET] + x[i + _PLANE_STRIDE]) & x[SEGMENT_MASK]
        x[b + _PLANE_OFFSET] = offset
        x[b + _OFFSET] = offset
        local = (x[b + _PLANE_LOCAL] + x[i + _LOCAL_PLANE_STRIDE]) & _ADDRESS_MASK
        x[b + _PLANE_LOCAL] = local
        x[b + _LOCAL] = local
        return 0
    x[b + _NEST] = 0
    return 1


@compiled
def _pop(x: NDArray[np.int64], b: int) -> None:
    """The nest takes the join's instruction."""
    for k in range(_ENTRY):
        x[b + _INSTRUCTION + k] = x[b + _JOIN + k]
    i = b + _INSTRUCTION
    x[b + _NEST] = 1
    x[b + _OFFSET] = x[i + _FIRST_OFFSET]
    x[b + _PLANE_OFFSET] = x[i + _FIRST_OFFSET]
    x[b + _LOCAL] = x[i + _FIRST_LOCAL]
    x[b + _PLANE_LOCAL] = x[i + _FIRST_LOCAL]
    x[b + _ROWS_LEFT] = x[i + _ROWS]


@compiled
def rows_push(
    x: NDArray[np.int64],
    b: int,
    offset: int,
    row_bytes: int,
    rows: int,
    planes: int,
    row_stride: int,
    plane_stride: int,
    local: int,
    local_row_stride: int,
    local_plane_stride: int,
    tag: int,
) -> None:
    """The stage takes an instruction at the end of this cycle. Counts are counts, `offset` is any DRAM byte address."""
    q = b + _STAGE
    x[b + _STAGED] = 1
    x[q + _PLANES] = planes
    x[q + _ROWS] = rows
    x[q + _BYTES] = row_bytes
    x[q + _ROW_STRIDE] = row_stride
    x[q + _PLANE_STRIDE] = plane_stride
    x[q + _LOCAL_ROW_STRIDE] = local_row_stride
    x[q + _LOCAL_PLANE_STRIDE] = local_plane_stride
    x[q + _TAG] = tag
    x[q + _FIRST_OFFSET] = offset & x[SEGMENT_MASK]
    x[q + _FIRST_LOCAL] = local
