"""Cycle behaviour of the load unit; equal to `talos/rtl/load.py` in every output and cycle.

In each cycle:

1. From the state: `load_beats` (beats of the burst asked for, or 0), `load_write` (address of the activation write, or -1),
   `load_free` (an instruction can be taken, so start = head valid and its semaphores ready and free), `load_idle`.
   `load_ready`: r.ready. `load_done`: mask to post, or -1.
2. `grant`: the activation write is granted. `load_status(state, grant, waiting)`: 0 idle, 1 busy, 2 sync, 3 stall, with
   waiting = head valid and not `sync_ready`.
3. `load_clock(state, row, start, bases, asked, beat, grant)` ends the cycle: `row` is the head's row, looked at only with `start`;
   `bases` are the regions' base addresses; `asked` = the burst was accepted; `beat` = a beat was offered and taken.
"""

import numpy as np
from numpy.typing import NDArray

from talos.config import AcceleratorConfig
from talos.isa import Opcode, Space
from talos.model.timing.compiled import compiled
from talos.model.timing.fields import OPCODE, POST, column
from talos.model.timing.requests import (
    GEOMETRY_SIZE,
    REQUESTS_SIZE,
    geometry,
    requests_active,
    requests_beats,
    requests_clock,
    requests_room,
    requests_stage,
)
from talos.model.timing.rows import (
    BEAT_ADDRESS,
    BEAT_TAG,
    BEAT_VALID,
    ROWS_SIZE,
    beat_last,
    rows_active,
    rows_clock,
    rows_push,
    rows_room,
)

__all__ = [
    "load_beats",
    "load_clock",
    "load_done",
    "load_free",
    "load_idle",
    "load_ready",
    "load_reset",
    "load_state",
    "load_status",
    "load_write",
]

_REQUESTS = GEOMETRY_SIZE
_WALKER = _REQUESTS + REQUESTS_SIZE
_WRITE_VALID = _WALKER + ROWS_SIZE  # the write buffer's head
_WRITE_ADDRESS = _WRITE_VALID + 1
_WRITE_PARAMETER = _WRITE_VALID + 2
_WRITE_DONE = _WRITE_VALID + 3  # mask to post if the write is its instruction's last, else -1
_SPARE = _WRITE_VALID + 4  # the entry behind it
_ENTRY = 4
_DONE = _SPARE + _ENTRY  # 1 + the mask that is posted in this cycle, 0 without one
_SIZE = _DONE + 1

_FILL_TAG = 16  # tags are post + 16 · fill + 32 · parameter
_PARAMETER_TAG = 32

_LOAD = int(Opcode.LOAD)
_PARAMETER = int(Space.PARAMETER)
_REGION, _ADDRESS, _ROW_BYTES, _ROWS, _ROW_STRIDE, _PLANES, _PLANE_STRIDE, _DST, _DST_ROW, _DST_PLANE, _SPACE = (
    column(Opcode.LOAD, name)
    for name in (
        "region",
        "address",
        "row_bytes",
        "rows",
        "row_stride",
        "planes",
        "plane_stride",
        "dst",
        "dst_row_stride",
        "dst_plane_stride",
        "space",
    )
)
_FILL_BYTES, _FILL_ROWS, _FILL_PLANES, _FILL_DST, _FILL_DST_ROW, _FILL_DST_PLANE = (
    column(Opcode.FILL, name) for name in ("row_bytes", "rows", "planes", "dst", "dst_row_stride", "dst_plane_stride")
)


def load_state(config: AcceleratorConfig) -> NDArray[np.int64]:
    """The state after reset, 1-D int64."""
    state = np.zeros(_SIZE, np.int64)
    state[:GEOMETRY_SIZE] = geometry(config)
    return state


@compiled
def load_reset(state: NDArray[np.int64]) -> None:
    """Back to the state after reset."""
    state[GEOMETRY_SIZE:] = 0


@compiled
def load_free(state: NDArray[np.int64]) -> bool:
    """An instruction can be taken in this cycle."""
    return requests_room(state, _REQUESTS) and rows_room(state, _WALKER)


@compiled
def load_idle(state: NDArray[np.int64]) -> bool:
    """Nothing is in the unit."""
    return (
        state[_WRITE_VALID] == 0
        and state[_DONE] == 0
        and not rows_active(state, _WALKER)
        and not requests_active(state, _REQUESTS)
    )


@compiled
def load_beats(state: NDArray[np.int64]) -> int:
    """Beats of the burst asked for in this cycle, 0 for none."""
    return requests_beats(state, _REQUESTS)


@compiled
def load_write(state: NDArray[np.int64]) -> int:
    """Address of the activation write asked for in this cycle, -1 for none."""
    if state[_WRITE_VALID] == 0 or state[_WRITE_PARAMETER] != 0:
        return -1
    return state[_WRITE_ADDRESS]


@compiled
def _leaves(state: NDArray[np.int64], grant: int) -> bool:
    """A write is done in this cycle."""
    return state[_WRITE_VALID] != 0 and (state[_WRITE_PARAMETER] != 0 or grant != 0)


@compiled
def load_ready(state: NDArray[np.int64]) -> bool:
    """A beat from the bus is taken if one is offered."""
    return state[_WALKER + BEAT_VALID] != 0 and state[_WALKER + BEAT_TAG] & _FILL_TAG == 0 and state[_SPARE] == 0


@compiled
def load_done(state: NDArray[np.int64]) -> int:
    """The mask that an instruction posts as it ends in this cycle, -1 if none ends."""
    return state[_DONE] - 1


@compiled
def load_status(state: NDArray[np.int64], grant: int, waiting: int) -> int:
    """0 idle, 1 busy (a write is done), 2 sync, 3 stall."""
    if _leaves(state, grant):
        return 1
    if load_idle(state):
        return 2 if waiting else 0
    return 3


@compiled
def load_clock(
    state: NDArray[np.int64], row: NDArray[np.int64], start: int, bases: NDArray[np.int64], asked: int, beat: int, grant: int
) -> None:
    """One cycle ends."""
    tag = state[_WALKER + BEAT_TAG]
    taken = 1 if state[_WALKER + BEAT_VALID] != 0 and state[_SPARE] == 0 and (tag & _FILL_TAG != 0 or beat != 0) else 0
    leaves = _leaves(state, grant)
    state[_DONE] = state[_WRITE_DONE] + 1 if leaves else 0
    place = _SPARE
    if leaves or state[_WRITE_VALID] == 0:
        for k in range(_ENTRY):
            state[_WRITE_VALID + k] = state[_SPARE + k]
        place = _WRITE_VALID
        state[_SPARE] = 0
    if taken != 0:
        state[place] = 1
        state[place + 1] = state[_WALKER + BEAT_ADDRESS]
        state[place + 2] = tag & _PARAMETER_TAG
        state[place + 3] = tag & 15 if beat_last(state, _WALKER) else -1
    requests_clock(state, _REQUESTS, asked)
    rows_clock(state, _WALKER, taken)
    if start != 0:
        _start(state, row, bases)


@compiled
def _start(state: NDArray[np.int64], row: NDArray[np.int64], bases: NDArray[np.int64]) -> None:
    post = row[POST]
    if row[OPCODE] == _LOAD:
        address = bases[row[_REGION]] + row[_ADDRESS]
        requests_stage(
            state, _REQUESTS, address, row[_ROW_BYTES], row[_ROWS], row[_PLANES], row[_ROW_STRIDE], row[_PLANE_STRIDE], 0
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
            row[_DST],
            row[_DST_ROW],
            row[_DST_PLANE],
            post + (_PARAMETER_TAG if row[_SPACE] == _PARAMETER else 0),
        )
    else:
        rows_push(
            state,
            _WALKER,
            0,
            row[_FILL_BYTES],
            row[_FILL_ROWS],
            row[_FILL_PLANES],
            0,
            0,
            row[_FILL_DST],
            row[_FILL_DST_ROW],
            row[_FILL_DST_PLANE],
            post + _FILL_TAG,
        )
