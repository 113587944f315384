"""Cycle behaviour of the weights unit; equal to `talos/rtl/weights.py` in every output and cycle.

In each cycle:

1. From the state: `weights_beats` (beats of the burst asked for, or 0), `weights_word` (a word is offered), `WEIGHTS_URGENT` (index),
   `weights_free` (an instruction can be taken), `weights_idle`. r.ready is always 1.
2. `weights_done(state, asked)`: mask to post, or -1. `weights_status(state, beat, waiting)`: 0 idle, 1 busy, 2 sync, 3 stall.
3. `weights_clock(state, row, start, bases, asked, beat, taken)` ends the cycle: `row` is the head's row, looked at only with
   `start`; `bases` are the regions' base addresses; `asked` = the burst was accepted; `beat` = a beat came from the bus;
   `taken` = a word was offered and taken.
"""

import numpy as np
from numpy.typing import NDArray

from talos.config import AcceleratorConfig
from talos.isa import Opcode
from talos.latency import NEAR_BEATS, urgent_beats
from talos.model.timing.compiled import compiled
from talos.model.timing.fields import POST, column
from talos.model.timing.requests import (
    GEOMETRY_SIZE,
    MAX_BURST,
    REQUESTS_SIZE,
    geometry,
    requests_active,
    requests_beats,
    requests_clock,
    requests_free,
    requests_load,
    requests_tag,
)

__all__ = [
    "WEIGHTS_URGENT",
    "weights_beats",
    "weights_clock",
    "weights_done",
    "weights_free",
    "weights_idle",
    "weights_reset",
    "weights_state",
    "weights_status",
    "weights_word",
]

_DEPTH = GEOMETRY_SIZE
_URGENT_BELOW = _DEPTH + 1
_BEATS_PER_WORD = _DEPTH + 2
_WORDS_PER_BEAT = _DEPTH + 3
_FIXED = _DEPTH + 4
_REQUESTS = _FIXED
_COMMITTED = _REQUESTS + REQUESTS_SIZE  # beats in block RAM and under way a cycle ago
_LEVEL = _COMMITTED + 1  # beats in block RAM
_FETCHED = _COMMITTED + 2  # the RAM's output holds a beat
_HELD = _COMMITTED + 3  # the register behind it holds a beat
_NEAR = _COMMITTED + 4  # beats in the near queue
_FILLED = _COMMITTED + 5  # beats in the word register, or words in the beat register
WEIGHTS_URGENT = _COMMITTED + 6
_WAS_ASKED = _COMMITTED + 7  # beats asked for in the cycle before
_WAS_FREED = _COMMITTED + 8
_SIZE = _COMMITTED + 9

_REGION, _ADDRESS, _BYTES = (column(Opcode.STREAM, name) for name in ("region", "address", "bytes"))


def weights_state(config: AcceleratorConfig) -> NDArray[np.int64]:
    """The state after reset, 1-D int64."""
    state = np.zeros(_SIZE, np.int64)
    state[:GEOMETRY_SIZE] = geometry(config)
    state[_DEPTH] = config.weight_fifo_bytes // config.beat_bytes
    state[_URGENT_BELOW] = urgent_beats(config)
    state[_BEATS_PER_WORD] = max(1, config.cols // config.beat_bytes)
    state[_WORDS_PER_BEAT] = max(1, config.beat_bytes // config.cols)
    return state


@compiled
def weights_reset(state: NDArray[np.int64]) -> None:
    """Back to the state after reset."""
    state[_FIXED:] = 0


@compiled
def weights_free(state: NDArray[np.int64]) -> bool:
    """An instruction can be taken in this cycle."""
    return requests_free(state, _REQUESTS)


@compiled
def weights_idle(state: NDArray[np.int64]) -> bool:
    """Nothing to ask for and nothing under way; words may be stored."""
    stored = state[_COMMITTED] + state[_WAS_ASKED] - state[_WAS_FREED]
    return stored == state[_LEVEL] and not requests_active(state, _REQUESTS)


@compiled
def weights_beats(state: NDArray[np.int64]) -> int:
    """Beats of the burst asked for in this cycle, 0 for none."""
    longest = state[MAX_BURST] if state[_WAS_ASKED] == 0 else 2 * state[MAX_BURST]
    if state[_COMMITTED] > state[_DEPTH] - longest:
        return 0
    return requests_beats(state, _REQUESTS)


@compiled
def weights_word(state: NDArray[np.int64]) -> bool:
    """A word of `cols` bytes is offered."""
    return state[_FILLED] >= state[_BEATS_PER_WORD]


@compiled
def weights_done(state: NDArray[np.int64], asked: int) -> int:
    """The mask that an instruction posts as its last burst is accepted in this cycle, -1 if none ends."""
    if asked != 0:
        return requests_tag(state, _REQUESTS)
    return -1


@compiled
def weights_status(state: NDArray[np.int64], beat: int, waiting: int) -> int:
    """0 idle, 1 busy (a beat is received), 2 sync, 3 stall."""
    if beat != 0:
        return 1
    if weights_idle(state):
        return 2 if waiting else 0
    return 3


@compiled
def weights_clock(
    state: NDArray[np.int64], row: NDArray[np.int64], start: int, bases: NDArray[np.int64], asked: int, beat: int, taken: int
) -> None:
    """One cycle ends."""
    committed = state[_COMMITTED]
    level = state[_LEVEL]
    filled = state[_FILLED]
    near = state[_NEAR]
    state[WEIGHTS_URGENT] = committed < state[_URGENT_BELOW]

    # A beat leaves the RAM if the near queue has a place for it beside those on their way.
    freed = 1 if level != 0 and state[_FETCHED] + state[_HELD] + near < NEAR_BEATS else 0
    if state[_BEATS_PER_WORD] > 1 or state[_WORDS_PER_BEAT] == 1:
        accept = near != 0 and (filled < state[_BEATS_PER_WORD] or taken != 0)
        state[_FILLED] = (0 if taken != 0 else filled) + accept
    else:
        accept = near != 0 and (filled == 0 or (taken != 0 and filled == 1))
        state[_FILLED] = state[_WORDS_PER_BEAT] if accept else filled - (taken != 0)
    state[_NEAR] = near + state[_HELD] - accept
    state[_HELD] = state[_FETCHED]
    state[_FETCHED] = freed
    state[_LEVEL] = level + (beat != 0) - freed
    state[_COMMITTED] = committed + state[_WAS_ASKED] - state[_WAS_FREED]
    state[_WAS_ASKED] = requests_beats(state, _REQUESTS) if asked != 0 else 0
    state[_WAS_FREED] = freed

    requests_clock(state, _REQUESTS, asked)
    if start != 0:
        requests_load(state, _REQUESTS, bases[row[_REGION]] + row[_ADDRESS], row[_BYTES], 1, 1, 0, 0, row[POST])
