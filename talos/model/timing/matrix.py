"""Cycle behaviour of the matrix unit; equal to `talos/rtl/matrix.py` in every output and cycle.

In each cycle the caller reads the outputs from the registered state, in this order where one needs another:

1. `matrix_request` (address of the activation read, or -1), `matrix_access` (accumulator half that is read, or -1), `matrix_done`
   (mask to post, or -1) and `matrix_idle` need only the state.
2. `grant`: the request was granted. `matrix_free(state, grant)`: an instruction can be taken, so
   start = head valid and its semaphores ready and free. `matrix_weights_ready(state, grant)`: a weight word is taken if offered.
   `matrix_drain_grant(state, address)`: the vector unit's accumulator read is granted.
   `matrix_status(state, grant, waiting)`: 0 idle, 1 busy, 2 sync, 3 stall, with waiting = head valid and not `sync_ready`.
3. `matrix_clock(state, row, start, grant, word)` ends the cycle: `row` is the head's row (`talos.model.timing.fields`), looked at
   only with `start`; `word` = a weight word was offered and taken.

Depthwise changes no timing but one: the first `warmup` vectors of an output row are issued without an access to the accumulators.
"""

import numpy as np
from numpy.typing import NDArray

from talos.config import AcceleratorConfig
from talos.isa import ADDRESS, Opcode
from talos.latency import ACC_SUMS, ACT_READ, RMW, array_latency
from talos.model.timing.compiled import compiled
from talos.model.timing.fields import POST, column

__all__ = [
    "matrix_access",
    "matrix_clock",
    "matrix_done",
    "matrix_drain_grant",
    "matrix_free",
    "matrix_idle",
    "matrix_request",
    "matrix_reset",
    "matrix_state",
    "matrix_status",
    "matrix_weights_ready",
]

# Constants of the configuration.
_ROWS = 0
_ENTRY_MASK = 1  # accumulator_depth - 1
_HALF_BIT = 2
_ACCESS_AFTER = 3  # cycles from issue to the accumulator access
_DONE_AFTER = 4  # cycles from issue to the write
_RECENT_MASK = 5  # RMW ones
_FIXED = 6
# Issue. A first pixel of a tile waits while _RECENT & _GUARD (bit i: an issue i + 1 cycles ago); see the RTL.
_ACTIVE = 6
_GUARD = 7
_RECENT = 8
_POST = 9
_ACCUMULATE = 10
_ENTRY = 11
_BLOCK_ENTRY = 12
# Loop nest: indices, counts, strides of out_w, out_h, slices, taps_w, taps_h, blocks; address at which each loop began.
_I = 13
_N = 19
_S = 25
_START = 31
# Weights.
_SLOT = 37
_FULL = 38
# Pipeline: a ring of one code per cycle.
_DRAINING = 39
_POSITION = 40
_LEFT = 41  # pixels of the instruction that are not issued yet
_TILE_GUARD = 42
_TILE_FIRST = 43  # the current pixel is the first of its tile
_TILE_CODE = 44  # for the ring, the same for all pixels of a tile
_WARMUP = 45
_WARM_LEFT = 46  # vectors of the output row that still have no accumulator entry
_RING = 47

_ADDRESS_MASK = (1 << ADDRESS) - 1
_ACT = column(Opcode.MATMUL, "act")
_OUT_W = column(Opcode.MATMUL, "out_w")
_PIXEL_STRIDE = column(Opcode.MATMUL, "pixel_stride")
_OUT_H = column(Opcode.MATMUL, "out_h")
_ROW_STRIDE = column(Opcode.MATMUL, "row_stride")
_SLICES = column(Opcode.MATMUL, "slices")
_SLICE_STRIDE = column(Opcode.MATMUL, "slice_stride")
_TAPS_W = column(Opcode.MATMUL, "taps_w")
_TAP_W_STRIDE = column(Opcode.MATMUL, "tap_w_stride")
_TAPS_H = column(Opcode.MATMUL, "taps_h")
_TAP_H_STRIDE = column(Opcode.MATMUL, "tap_h_stride")
_BLOCKS = column(Opcode.MATMUL, "blocks")
_BLOCK_STRIDE = column(Opcode.MATMUL, "block_stride")
_ACC = column(Opcode.MATMUL, "acc")
_ACCUMULATE_FLAG = column(Opcode.MATMUL, "accumulate")
_WARMUP_COUNT = column(Opcode.MATMUL, "warmup")

# Codes in the ring.
_READS = 1
_UPPER = 2
_LAST = 4
_POST_SHIFT = 3


def matrix_state(config: AcceleratorConfig) -> NDArray[np.int64]:
    """The state after reset."""
    access_after = ACT_READ + array_latency(config) - ACC_SUMS
    done_after = access_after + RMW
    state = np.zeros(_RING + done_after + 1, np.int64)
    state[_ROWS] = config.rows
    state[_ENTRY_MASK] = config.accumulator_depth - 1
    state[_HALF_BIT] = config.half_depth
    state[_ACCESS_AFTER] = access_after
    state[_DONE_AFTER] = done_after
    state[_RECENT_MASK] = (1 << RMW) - 1
    return state


@compiled
def matrix_reset(state: NDArray[np.int64]) -> None:
    """Back to the state after reset."""
    state[_FIXED:] = 0


@compiled
def matrix_request(state: NDArray[np.int64]) -> int:
    """Address of the activation read asked for in this cycle, or -1."""
    if state[_ACTIVE] == 0:
        return -1
    if state[_TILE_FIRST] != 0 and (state[_FULL] == 0 or state[_RECENT] & state[_GUARD] != 0):
        return -1
    return state[_START]


@compiled
def _ring_code(state: NDArray[np.int64], age: int) -> int:
    """What was issued `age` cycles ago."""
    index = state[_POSITION] - age
    if index < 0:
        index += state[_DONE_AFTER] + 1
    return state[_RING + index]


@compiled
def matrix_access(state: NDArray[np.int64]) -> int:
    """The accumulator half that the matrix unit reads in this cycle, or -1."""
    code = _ring_code(state, state[_ACCESS_AFTER])
    if code & _READS == 0:
        return -1
    return 1 if code & _UPPER else 0


@compiled
def matrix_drain_grant(state: NDArray[np.int64], address: int) -> bool:
    """An accumulator read of `address` by the vector unit is granted in this cycle."""
    return matrix_access(state) != (1 if address & state[_HALF_BIT] else 0)


@compiled
def matrix_done(state: NDArray[np.int64]) -> int:
    """The post mask of the instruction that ends in this cycle, or -1."""
    code = _ring_code(state, state[_DONE_AFTER])
    return code >> _POST_SHIFT if code & _LAST else -1


@compiled
def matrix_idle(state: NDArray[np.int64]) -> bool:
    """Nothing running and nothing in the pipelines."""
    return state[_ACTIVE] == 0 and state[_DRAINING] == 0


@compiled
def matrix_free(state: NDArray[np.int64], grant: bool) -> bool:
    """An instruction can be taken in this cycle."""
    return state[_ACTIVE] == 0 or (grant and state[_LEFT] == 1)


@compiled
def matrix_weights_ready(state: NDArray[np.int64], grant: bool) -> bool:
    """A weight word is taken in this cycle if there is one."""
    return state[_FULL] == 0 or (grant and state[_TILE_FIRST] != 0)


@compiled
def matrix_status(state: NDArray[np.int64], grant: bool, waiting: bool) -> int:
    """0 idle, 1 busy, 2 sync, 3 stall."""
    if state[_ACTIVE] == 0:
        return 2 if waiting else 0
    return 1 if grant else 3


@compiled
def _next_row(state: NDArray[np.int64]) -> None:
    """From the last pixel of an output row to the first of the next, of the next tile, or of the next block."""
    state[_I] = 0
    state[_WARM_LEFT] = state[_WARMUP]
    for loop in range(1, 6):
        if state[_I + loop] + 1 < state[_N + loop]:
            state[_I + loop] += 1
            start = (state[_START + loop] + state[_S + loop]) & _ADDRESS_MASK
            for inner in range(loop + 1):
                state[_START + inner] = start
            if loop == 1:
                return
            state[_TILE_FIRST] = 1
            state[_TILE_CODE] = _READS
            if loop < 5:
                state[_ENTRY] = state[_BLOCK_ENTRY]
            else:
                state[_BLOCK_ENTRY] = state[_ENTRY]
                if state[_ACCUMULATE] == 0:
                    state[_TILE_CODE] = 0
            return
        state[_I + loop] = 0
    state[_ACTIVE] = 0


@compiled
def _accept(state: NDArray[np.int64], row: NDArray[np.int64]) -> None:
    """Takes the instruction `row`."""
    state[_ACTIVE] = 1
    state[_POST] = row[POST]
    state[_WARMUP] = row[_WARMUP_COUNT]
    state[_WARM_LEFT] = row[_WARMUP_COUNT]
    state[_ACCUMULATE] = row[_ACCUMULATE_FLAG]
    state[_GUARD] = state[_RECENT_MASK] if row[_ACCUMULATE_FLAG] else 0
    pixels = row[_OUT_W] * row[_OUT_H]
    state[_TILE_GUARD] = state[_RECENT_MASK] >> (pixels - 1) if pixels <= RMW else 0
    state[_TILE_FIRST] = 1
    state[_TILE_CODE] = _READS if row[_ACCUMULATE_FLAG] else 0
    state[_ENTRY] = row[_ACC] & state[_ENTRY_MASK]
    state[_BLOCK_ENTRY] = state[_ENTRY]
    for loop in range(6):
        state[_I + loop] = 0
        state[_START + loop] = row[_ACT]
    state[_N] = row[_OUT_W]
    state[_N + 1] = row[_OUT_H]
    state[_N + 2] = row[_SLICES]
    state[_N + 3] = row[_TAPS_W]
    state[_N + 4] = row[_TAPS_H]
    state[_N + 5] = row[_BLOCKS]
    state[_LEFT] = 1
    for loop in range(6):
        state[_LEFT] *= state[_N + loop]
    state[_S] = row[_PIXEL_STRIDE]
    state[_S + 1] = row[_ROW_STRIDE]
    state[_S + 2] = row[_SLICE_STRIDE]
    state[_S + 3] = row[_TAP_W_STRIDE]
    state[_S + 4] = row[_TAP_H_STRIDE]
    state[_S + 5] = row[_BLOCK_STRIDE]


@compiled
def matrix_clock(state: NDArray[np.int64], row: NDArray[np.int64], start: bool, grant: bool, word: bool) -> None:
    """Ends the cycle; see the module's description."""
    code = 0
    if grant:
        if state[_WARM_LEFT] > 0:
            state[_WARM_LEFT] -= 1
        else:
            code = state[_TILE_CODE]
            entry = state[_ENTRY]
            if entry & state[_HALF_BIT]:
                code |= _UPPER
            state[_ENTRY] = (entry + 1) & state[_ENTRY_MASK]
        if state[_TILE_FIRST] != 0:
            state[_TILE_FIRST] = 0
            state[_FULL] = 0
            state[_GUARD] = state[_TILE_GUARD]
        state[_LEFT] -= 1
        if state[_LEFT] == 0:
            code |= _LAST | (state[_POST] << _POST_SHIFT)
        if state[_I] + 1 < state[_N]:
            state[_I] += 1
            state[_START] = (state[_START] + state[_S]) & _ADDRESS_MASK
        else:
            _next_row(state)
        state[_DRAINING] = state[_DONE_AFTER]
    elif state[_DRAINING] > 0:
        state[_DRAINING] -= 1
    position = state[_POSITION]
    state[_RING + position] = code
    state[_POSITION] = position + 1 if position < state[_DONE_AFTER] else 0
    state[_RECENT] = ((state[_RECENT] << 1) | grant) & state[_RECENT_MASK]
    if word:
        state[_SLOT] += 1
        if state[_SLOT] == state[_ROWS]:
            state[_SLOT] = 0
            state[_FULL] = 1
    if start:
        _accept(state, row)
