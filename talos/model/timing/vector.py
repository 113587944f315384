"""Cycle behaviour of the vector unit; equal to `talos/rtl/vector.py` in every output and cycle.

In each cycle:

1. From the state: `vector_request` (address of the activation read, or -1), `vector_access` (accumulator entry read, or -1),
   `vector_write` (address of the activation write, or -1; always granted), `vector_done` (mask to post, or -1), `vector_idle` and
   `vector_free` (an instruction can be taken, so start = head valid and its semaphores ready and free).
2. `grant`, `access`: the activation read and the accumulator read are asked for and granted.
   `vector_status(state, grant, access, waiting)`: 0 idle, 1 busy, 2 sync, 3 stall, with waiting = head valid and not `sync_ready`.
3. `vector_clock(state, row, start, grant, access)` ends the cycle: `row` is the head's row (`talos.model.timing.fields`), looked
   at only with `start`.
"""

import numpy as np
from numpy.typing import NDArray

from talos.config import AcceleratorConfig
from talos.isa import Opcode, Source
from talos.latency import ACC_READ, ACT_READ, LANE, RECORD_DELAY, SET_RELEASE, WINDOW
from talos.model.timing.compiled import compiled
from talos.model.timing.fields import COLUMNS, OPCODE, POST, column
from talos.model.timing.nest import NEST_SIZE, nest_address, nest_begin, nest_last, nest_level, nest_step
from talos.parameters import CODES

__all__ = [
    "vector_access",
    "vector_clock",
    "vector_done",
    "vector_free",
    "vector_idle",
    "vector_request",
    "vector_reset",
    "vector_state",
    "vector_status",
    "vector_write",
]

# Constants of the configuration.
_COLS = 0
_SUBSTEPS = 1
_RING_MASK = 2
_HAS_RESIDUAL = 3
_HAS_POOL = 4
_FIXED = 5
# Sequencer.
_STATE = 5
_DRAINING = 6  # writes of the issued instruction left
_POST = 7  # mask of that instruction
_COUNT = 8  # cycles left of a table copy
# Parameter sets.
_FETCHING = 9  # blocks whose records are still to be read
_COLUMN = 10
_FREE = 11
_READY = 12
# Issue.
_FROM_ACC = 13
_REQUANTIZE = 14
_ADD = 15
_TWO_PASS = 16
_RESIDUAL = 17  # b of the next pixel is still to be read
_ODD = 18
_SLOTS = 19
_ACC = 20
_BLOCK_PIXELS = 21
_PIXELS = 22  # left in this block
_BLOCKS = 23  # left, this one included
_RELEASE_AFTER = 24  # cycles from a pixel's last read to the release of its block's parameters
_WRITE_AFTER = 25
_POSITION = 26
_ASK = 27  # which read is asked for in this cycle
_A = 28  # loop nests
_B = _A + NEST_SIZE
_DST = _B + NEST_SIZE
_CURRENT = _DST + NEST_SIZE  # the instruction taken last
_RING = _CURRENT + COLUMNS  # what happens in each of the next cycles

_IDLE, _PREPARE, _DRAIN, _ISSUE, _TABLE, _COPY = range(6)
_ASK_RESIDUAL, _ASK_WINDOW, _ASK_ENTRY = 1, 2, 3
_WRITES, _RELEASES = 1, 2
_SETS = 2
_COPY_CYCLES = CODES + RECORD_DELAY + 1
_ENTRY_MASK = (1 << 16) - 1
_TABLE_OPCODE = int(Opcode.TABLE)
_ACCUMULATOR = int(Source.ACCUMULATOR)


def _columns(*names: str) -> tuple[int, ...]:
    return tuple(column(Opcode.VECTOR, name) for name in names)


_SOURCE_FIELD, _REQUANTIZE_FIELD, _ADD_FIELD, _ACC_FIELD = _columns("source", "requantize", "add", "acc")
_OUT_W, _OUT_H, _BLOCKS_FIELD, _WIN_W, _WIN_H = _columns("out_w", "out_h", "blocks", "win_w", "win_h")
_A_FIELD, _A_WIN_W, _A_WIN_H, _A_PIXEL, _A_ROW = _columns(
    "a", "a_win_w_stride", "a_win_h_stride", "a_pixel_stride", "a_row_stride"
)
_B_FIELD, _B_PIXEL, _B_ROW = _columns("b", "b_pixel_stride", "b_row_stride")
_DST_FIELD, _DST_PIXEL, _DST_ROW = _columns("dst", "dst_pixel_stride", "dst_row_stride")


def vector_state(config: AcceleratorConfig) -> NDArray[np.int64]:
    """The state after reset, 1-D int64."""
    substeps = config.cols // config.lanes
    longest = max(ACC_READ, ACT_READ + WINDOW) + 2 + 2 * (substeps - 1) + 2 * LANE
    state = np.zeros(_RING + (1 << longest.bit_length()), np.int64)
    state[_COLS] = config.cols
    state[_SUBSTEPS] = substeps
    state[_RING_MASK] = (1 << longest.bit_length()) - 1
    state[_HAS_RESIDUAL] = config.residual
    state[_HAS_POOL] = config.pool
    vector_reset(state)
    return state


@compiled
def vector_reset(state: NDArray[np.int64]) -> None:
    """Back to the state after reset."""
    state[_FIXED:] = 0
    state[_FREE] = _SETS


@compiled
def vector_free(state: NDArray[np.int64]) -> bool:
    """An instruction can be taken in this cycle."""
    return state[_STATE] == _IDLE


@compiled
def vector_idle(state: NDArray[np.int64]) -> bool:
    """Nothing is in the unit."""
    return state[_STATE] == _IDLE and state[_DRAINING] == 0


@compiled
def _lanes_free(state: NDArray[np.int64]) -> bool:
    """The last read of a pixel's source may be asked for."""
    return state[_SLOTS] == 0 and (state[_TWO_PASS] == 0 or state[_ODD] == 0) and (state[_REQUANTIZE] == 0 or state[_READY] != 0)


@compiled
def _window_last(state: NDArray[np.int64]) -> bool:
    """The next read of the source is the last of its window."""
    return nest_last(state, _A, 0) and nest_last(state, _A, 1)


@compiled
def _next_ask(state: NDArray[np.int64]) -> int:
    """Which read an issuing unit asks for."""
    if state[_RESIDUAL] != 0:
        return _ASK_RESIDUAL
    if state[_FROM_ACC] != 0:
        return _ASK_ENTRY if _lanes_free(state) else 0
    return _ASK_WINDOW if _lanes_free(state) or not _window_last(state) else 0


@compiled
def vector_request(state: NDArray[np.int64]) -> int:
    """Address of the activation read asked for in this cycle, -1 for none."""
    if state[_ASK] == _ASK_WINDOW:
        return nest_address(state, _A)
    return nest_address(state, _B) if state[_ASK] == _ASK_RESIDUAL else -1


@compiled
def vector_access(state: NDArray[np.int64]) -> int:
    """Accumulator entry asked for in this cycle, -1 for none."""
    return state[_ACC] if state[_ASK] == _ASK_ENTRY else -1


@compiled
def vector_write(state: NDArray[np.int64]) -> int:
    """Address of the activation write in this cycle, -1 for none."""
    return nest_address(state, _DST) if state[_RING + state[_POSITION]] & _WRITES else -1


@compiled
def vector_done(state: NDArray[np.int64]) -> int:
    """The post mask of the instruction that ends in this cycle, or -1."""
    if state[_COUNT] == 1:
        return state[_CURRENT + POST]
    if state[_DRAINING] == 1 and state[_RING + state[_POSITION]] & _WRITES:
        return state[_POST]
    return -1


@compiled
def vector_status(state: NDArray[np.int64], grant: bool, access: bool, waiting: bool) -> int:
    """0 idle, 1 busy, 2 sync, 3 stall."""
    if vector_idle(state):
        return 2 if waiting else 0
    return 1 if state[_ASK] == 0 or grant or access else 3


@compiled
def _accept(state: NDArray[np.int64], row: NDArray[np.int64]) -> None:
    """Take the instruction `row` and begin to fetch its parameters."""
    for index in range(COLUMNS):
        state[_CURRENT + index] = row[index]
    if row[OPCODE] == _TABLE_OPCODE:
        state[_STATE] = _TABLE
        return
    state[_STATE] = _PREPARE
    if row[_REQUANTIZE_FIELD] != 0:
        state[_FETCHING] = row[_BLOCKS_FIELD]


@compiled
def _load(state: NDArray[np.int64]) -> None:
    """Begin to issue the instruction taken last: the pipeline is empty."""
    current = state[_CURRENT : _CURRENT + COLUMNS]
    from_acc = current[_SOURCE_FIELD] == _ACCUMULATOR
    add = current[_ADD_FIELD] & state[_HAS_RESIDUAL]
    two_pass = add & current[_REQUANTIZE_FIELD]
    windows = state[_HAS_POOL] != 0 and not from_acc
    state[_STATE] = _ISSUE
    state[_POST] = current[POST]
    state[_FROM_ACC] = from_acc
    state[_REQUANTIZE] = current[_REQUANTIZE_FIELD]
    state[_ADD] = add
    state[_TWO_PASS] = two_pass
    state[_RESIDUAL] = add
    state[_ODD] = 0
    state[_SLOTS] = 0
    state[_ACC] = current[_ACC_FIELD]
    state[_BLOCK_PIXELS] = current[_OUT_W] * current[_OUT_H]
    state[_PIXELS] = state[_BLOCK_PIXELS]
    state[_BLOCKS] = current[_BLOCKS_FIELD]
    state[_DRAINING] = state[_BLOCK_PIXELS] * state[_BLOCKS]

    arrival = ACC_READ if from_acc else ACT_READ + WINDOW
    last_substep = arrival + 1 + (state[_SUBSTEPS] - 1) * (1 + two_pass)
    state[_RELEASE_AFTER] = last_substep + SET_RELEASE
    state[_WRITE_AFTER] = last_substep + LANE * (1 + two_pass) + 1

    width, height, blocks, cols = current[_OUT_W], current[_OUT_H], current[_BLOCKS_FIELD], state[_COLS]
    nest_begin(state, _A, current[_A_FIELD])
    nest_level(state, _A, 0, current[_WIN_W] if windows else 1, current[_A_WIN_W])
    nest_level(state, _A, 1, current[_WIN_H] if windows else 1, current[_A_WIN_H])
    nest_level(state, _A, 2, width, current[_A_PIXEL])
    nest_level(state, _A, 3, height, current[_A_ROW])
    nest_level(state, _A, 4, blocks, cols)
    nest_begin(state, _B, current[_B_FIELD])
    nest_level(state, _B, 0, width, current[_B_PIXEL])
    nest_level(state, _B, 1, height, current[_B_ROW])
    nest_level(state, _B, 2, blocks, cols)
    nest_begin(state, _DST, current[_DST_FIELD])
    nest_level(state, _DST, 0, width, current[_DST_PIXEL])
    nest_level(state, _DST, 1, height, current[_DST_ROW])
    nest_level(state, _DST, 2, blocks, cols)


@compiled
def _launch(state: NDArray[np.int64]) -> None:
    """The last read of a pixel's source is granted in this cycle."""
    mask, position = state[_RING_MASK], state[_POSITION]
    state[_RING + ((position + state[_WRITE_AFTER]) & mask)] |= _WRITES
    state[_SLOTS] = state[_SUBSTEPS] * (1 + state[_TWO_PASS]) - 1
    state[_ACC] = (state[_ACC] + 1) & _ENTRY_MASK
    state[_PIXELS] -= 1
    state[_RESIDUAL] = state[_ADD]
    if state[_PIXELS] == 0:
        if state[_REQUANTIZE] != 0:
            state[_RING + ((position + state[_RELEASE_AFTER]) & mask)] |= _RELEASES
            state[_READY] -= 1
        state[_PIXELS] = state[_BLOCK_PIXELS]
        state[_BLOCKS] -= 1
        if state[_BLOCKS] == 0:
            state[_STATE] = _IDLE


@compiled
def _issue(state: NDArray[np.int64], grant: bool, access: bool) -> None:
    """The cycle's end for the reading side."""
    launch = access
    if grant:
        if state[_RESIDUAL] != 0:
            state[_RESIDUAL] = 0
            nest_step(state, _B)
        else:
            launch = _window_last(state)
            nest_step(state, _A)
    state[_ODD] ^= 1
    if launch:
        _launch(state)
    elif state[_SLOTS] != 0:
        state[_SLOTS] -= 1


@compiled
def vector_clock(state: NDArray[np.int64], row: NDArray[np.int64], start: bool, grant: bool, access: bool) -> None:
    """Ends the cycle; see the module's description."""
    sequencer = state[_STATE]
    if sequencer == _IDLE and state[_DRAINING] == 0:
        if start:
            _accept(state, row)
        return

    # The records of a block count as ready at the end of the cycle, so after this cycle's reads have been looked at.
    fetched = 0
    if state[_FETCHING] != 0 and state[_FREE] != 0:
        state[_COLUMN] += 1
        if state[_COLUMN] == state[_COLS]:
            state[_COLUMN] = 0
            state[_FETCHING] -= 1
            fetched = 1

    if sequencer == _ISSUE:
        _issue(state, grant, access)
    elif sequencer == _PREPARE:
        state[_STATE] = _DRAIN
    elif sequencer == _DRAIN:
        if state[_DRAINING] == 0:
            _load(state)
    elif sequencer == _TABLE:
        if state[_DRAINING] == 0:
            state[_STATE] = _COPY
            state[_COUNT] = _COPY_CYCLES
    elif sequencer == _COPY:
        state[_COUNT] -= 1
        if state[_COUNT] == 0:
            state[_STATE] = _IDLE
    elif start:
        _accept(state, row)

    position = state[_POSITION]
    events = state[_RING + position]
    state[_RING + position] = 0
    state[_POSITION] = (position + 1) & state[_RING_MASK]
    if events & _WRITES:
        state[_DRAINING] -= 1
        nest_step(state, _DST)
    state[_READY] += fetched
    state[_FREE] += (events >> 1) - fetched
    state[_ASK] = _next_ask(state) if state[_STATE] == _ISSUE else 0
