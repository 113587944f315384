"""Cycle behaviour of the store unit with its AXI write master; equal to `talos/rtl/store.py` and `axi_write.py` in every output and cycle.

In each cycle:

1. From the state: `store_request` (address of the activation read, or -1), to the bus `STORE_AWVALID`, `STORE_WVALID`,
   `STORE_WLAST` (indices; bready is always 1), `store_done` (mask to post, or -1), `store_free` (an instruction can be
   taken, so start = head valid and its semaphores ready and free), `store_idle`.
2. `store_status(state, wready, waiting)`: 0 idle, 1 busy, 2 sync, 3 stall, with waiting = head valid and not `sync_ready`.
3. `store_clock(state, row, start, bases, grant, awready, wready, bvalid)` ends the cycle: `row` is the head's row, looked at only
   with `start`; `bases` are the regions' base addresses; `grant` = the read was asked for and granted; the rest as on the bus.
"""

import numpy as np
from numpy.typing import NDArray

from talos.config import AcceleratorConfig
from talos.isa import Opcode
from talos.latency import ACT_READ, MAX_WRITES, STORE_AHEAD
from talos.model.timing.compiled import compiled
from talos.model.timing.fields import POST, column
from talos.model.timing.requests import (
    GEOMETRY_SIZE,
    REQUESTS_SIZE,
    geometry,
    requests_active,
    requests_beats,
    requests_clock,
    requests_room,
    requests_stage,
    requests_tag,
)
from talos.model.timing.rows import (
    BEAT_ADDRESS,
    BEAT_VALID,
    ROWS_SIZE,
    beat_burst_last,
    rows_active,
    rows_clock,
    rows_push,
    rows_room,
)

__all__ = [
    "STORE_AWBEATS",
    "STORE_AWVALID",
    "STORE_WLAST",
    "STORE_WVALID",
    "store_clock",
    "store_done",
    "store_free",
    "store_idle",
    "store_request",
    "store_reset",
    "store_state",
    "store_status",
]

_REQUESTS = GEOMETRY_SIZE
_WALKER = _REQUESTS + REQUESTS_SIZE
STORE_AWVALID = _WALKER + ROWS_SIZE
STORE_AWBEATS = STORE_AWVALID + 1
STORE_WVALID = STORE_AWVALID + 2
STORE_WLAST = STORE_AWVALID + 3
_RESERVED = STORE_AWVALID + 4  # beats from the grant of their read until they enter W
_READING = STORE_AWVALID + 5  # bit i: a read granted i + 1 cycles ago; the last stage is the aligned beat
_READING_LAST = STORE_AWVALID + 6
_QUEUED = STORE_AWVALID + 7  # beats in the FIFO
_QUEUED_LAST = STORE_AWVALID + 8  # bit i: entry i is its burst's last
_OPENED = STORE_AWVALID + 9  # bursts whose address entered AW and whose last beat has not entered W
_ANSWERED = STORE_AWVALID + 10  # a response came in the cycle before
_HEAD = STORE_AWVALID + 11
_TAIL = STORE_AWVALID + 12
_ASKED = STORE_AWVALID + 13  # beats whose read is asked for: at most two, the first of them in this cycle
_ASKED_ADDRESS = STORE_AWVALID + 14  # of each
_ASKED_LAST = STORE_AWVALID + 16
_RING = STORE_AWVALID + 18  # of each burst without a response: mask to post if it is its instruction's last, else -1
_SIZE = _RING + MAX_WRITES

_STAGES = ACT_READ + 1
_REGION, _ADDRESS, _ROW_BYTES, _ROWS, _ROW_STRIDE, _PLANES, _PLANE_STRIDE, _SRC, _SRC_ROW, _SRC_PLANE = (
    column(Opcode.STORE, name)
    for name in (
        "region",
        "address",
        "row_bytes",
        "rows",
        "row_stride",
        "planes",
        "plane_stride",
        "src",
        "src_row_stride",
        "src_plane_stride",
    )
)


def store_state(config: AcceleratorConfig) -> NDArray[np.int64]:
    """The state after reset, 1-D int64."""
    state = np.zeros(_SIZE, np.int64)
    state[:GEOMETRY_SIZE] = geometry(config)
    return state


@compiled
def store_reset(state: NDArray[np.int64]) -> None:
    """Back to the state after reset."""
    state[GEOMETRY_SIZE:] = 0


@compiled
def store_free(state: NDArray[np.int64]) -> bool:
    """An instruction can be taken in this cycle."""
    return requests_room(state, _REQUESTS) and rows_room(state, _WALKER)


@compiled
def store_idle(state: NDArray[np.int64]) -> bool:
    """Nothing is in the unit and every response has come."""
    return (
        state[_HEAD] == state[_TAIL]
        and state[_RESERVED] == 0
        and state[_ASKED] == 0
        and not rows_active(state, _WALKER)
        and not requests_active(state, _REQUESTS)
    )


@compiled
def store_request(state: NDArray[np.int64]) -> int:
    """Address of the activation read asked for in this cycle, -1 for none."""
    if state[_ASKED] == 0 or state[_RESERVED] == STORE_AHEAD:
        return -1
    return state[_ASKED_ADDRESS]


@compiled
def store_done(state: NDArray[np.int64]) -> int:
    """The mask that an instruction posts as it ends in this cycle, -1 if none ends."""
    if state[_ANSWERED] != 0:
        return state[_RING + (state[_HEAD] & (MAX_WRITES - 1))]
    return -1


@compiled
def _sends(state: NDArray[np.int64], wready: int) -> bool:
    """A beat enters W in this cycle."""
    return state[_QUEUED] != 0 and state[_OPENED] != 0 and (state[STORE_WVALID] == 0 or wready != 0)


@compiled
def store_status(state: NDArray[np.int64], wready: int, waiting: int) -> int:
    """0 idle, 1 busy (a beat goes towards the bus), 2 sync, 3 stall."""
    if _sends(state, wready):
        return 1
    if store_idle(state):
        return 2 if waiting else 0
    return 3


@compiled
def store_clock(
    state: NDArray[np.int64],
    row: NDArray[np.int64],
    start: int,
    bases: NDArray[np.int64],
    grant: int,
    awready: int,
    wready: int,
    bvalid: int,
) -> None:
    """One cycle ends."""
    # A cycle in which nothing is anywhere changes nothing.
    if start == 0 and state[STORE_WVALID] == 0 and store_idle(state):
        return

    # W: from the FIFO, whose head leaves by a shift.
    sends = _sends(state, wready)
    closing = 0
    if sends:
        closing = state[_QUEUED_LAST] & 1
        state[STORE_WVALID] = 1
        state[STORE_WLAST] = closing
        state[_QUEUED] -= 1
        state[_QUEUED_LAST] >>= 1
        state[_RESERVED] -= 1
    elif wready != 0:
        state[STORE_WVALID] = 0

    # The read pipeline, its last stage into the FIFO.
    reading = state[_READING]
    if reading >> (_STAGES - 1) & 1:
        state[_QUEUED_LAST] |= (state[_READING_LAST] >> (_STAGES - 1) & 1) << state[_QUEUED]
        state[_QUEUED] += 1
    last = 1 if grant != 0 and state[_ASKED_LAST] != 0 else 0
    state[_READING] = (reading << 1 | (grant != 0)) & ((1 << _STAGES) - 1)
    state[_READING_LAST] = (state[_READING_LAST] << 1 | last) & ((1 << _STAGES) - 1)
    state[_RESERVED] += grant != 0

    # AW, and the queue of bursts that await their response.
    asked = 0
    if state[STORE_AWVALID] == 0 or awready != 0:
        beats = requests_beats(state, _REQUESTS)
        asked = 1 if beats != 0 and state[_TAIL] - state[_HEAD] < MAX_WRITES else 0
        state[STORE_AWVALID] = asked
        if asked != 0:
            state[STORE_AWBEATS] = beats
            state[_RING + (state[_TAIL] & (MAX_WRITES - 1))] = requests_tag(state, _REQUESTS)
    state[_OPENED] += asked - closing
    state[_HEAD] += state[_ANSWERED]
    state[_TAIL] += asked
    state[_ANSWERED] = bvalid != 0

    # The beats whose read is asked for: the walker's is taken while there are fewer than two.
    taken = 1 if state[_WALKER + BEAT_VALID] != 0 and state[_ASKED] < 2 else 0
    if grant != 0:
        state[_ASKED] -= 1
        state[_ASKED_ADDRESS] = state[_ASKED_ADDRESS + 1]
        state[_ASKED_LAST] = state[_ASKED_LAST + 1]
    if taken != 0:
        state[_ASKED_ADDRESS + state[_ASKED]] = state[_WALKER + BEAT_ADDRESS]
        state[_ASKED_LAST + state[_ASKED]] = beat_burst_last(state, _WALKER)
        state[_ASKED] += 1

    requests_clock(state, _REQUESTS, asked)
    rows_clock(state, _WALKER, taken)
    if start != 0:
        address = bases[row[_REGION]] + row[_ADDRESS]
        requests_stage(
            state,
            _REQUESTS,
            address,
            row[_ROW_BYTES],
            row[_ROWS],
            row[_PLANES],
            row[_ROW_STRIDE],
            row[_PLANE_STRIDE],
            row[POST],
        )
        rows_push(
            state,
            _WALKER,
            address,
            row[_ROW_BYTES],
            row[_ROWS],
            row[_PLANES],
            row[_ROW_STRIDE],
            row[_PLANE_STRIDE],
            row[_SRC],
            row[_SRC_ROW],
            row[_SRC_PLANE],
            0,
        )
