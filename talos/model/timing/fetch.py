"""Cycle behaviour of instruction fetch; equal to `talos/rtl/fetch.py` in every output and cycle.

The run's first cycle (number 0, `begin` in the RTL) is `fetch_begin`; nothing else happens in it. In each later cycle:

1. `fetch_request` (beats of the burst asked for, 0 for none), `fetch_handed` (an instruction is handed over), `fetch_target` (unit of the
   instruction at the head, 0 for none), `fetch_idle` and `fetch_status` (0 idle, 1 busy, 3 stall) need only the state. `FETCH_INDEX` is
   the number of the instruction at the head. start and done of fetch are `fetch_handed`.
2. room = 1 if there is a target and its queue has room (`talos.model.timing.control`).
3. `fetch_clock(state, accepted, beat, room)` ends the cycle: `accepted` = the read master took the request; `beat` = the read
   master offered a beat to fetch, which always takes it.
"""

import numpy as np
from numpy.typing import NDArray

from talos.config import AcceleratorConfig
from talos.isa import INSTRUCTION_BYTES
from talos.latency import FETCH_AHEAD
from talos.model.timing.compiled import compiled

__all__ = [
    "FETCH_INDEX",
    "fetch_begin",
    "fetch_clock",
    "fetch_handed",
    "fetch_idle",
    "fetch_request",
    "fetch_state",
    "fetch_status",
    "fetch_target",
]

FETCH_INDEX = 0  # instructions handed over
_TO_ASK = 1  # instructions whose last burst is not accepted yet
_PART = 2  # bursts accepted of the instruction that is being asked for
_RESERVED = 3  # instructions asked for and not handed over
_BEAT = 4  # beats received of the instruction that is arriving
_LEVEL = 5  # whole instructions that wait
_COUNT = 6  # instructions of the program
_HEAD = 7  # one of those that wait is at the head
_HANDED = 8  # it is handed over in this cycle
# Constants of the configuration.
_BURST = 9  # beats of a burst
_BURSTS = 10  # of an instruction
_BEATS = 11  # of an instruction
_SIZE = 12


def fetch_state(config: AcceleratorConfig) -> NDArray[np.int64]:
    """The state of fetch after reset, 1-D int64."""
    state = np.zeros(_SIZE, np.int64)
    state[_BEATS] = INSTRUCTION_BYTES // config.beat_bytes
    state[_BURST] = min(state[_BEATS], config.max_burst)
    state[_BURSTS] = state[_BEATS] // state[_BURST]
    return state


@compiled
def fetch_begin(state: NDArray[np.int64], count: int) -> None:
    """The cycle with `begin`: a program of `count` instructions."""
    state[FETCH_INDEX] = 0
    state[_TO_ASK] = count
    state[_COUNT] = count


@compiled
def fetch_request(state: NDArray[np.int64]) -> int:
    """Beats of the burst asked for in this cycle, 0 for none."""
    return state[_BURST] if state[_TO_ASK] and state[_RESERVED] != FETCH_AHEAD else 0


@compiled
def fetch_target(state: NDArray[np.int64], targets: NDArray[np.int64]) -> int:
    """The unit of the instruction at the head, 0 for none; `targets` has the unit of every instruction of the program."""
    return targets[state[FETCH_INDEX]] if state[_HEAD] else 0


@compiled
def fetch_handed(state: NDArray[np.int64]) -> bool:
    """The instruction at the head is handed over in this cycle."""
    return state[_HANDED] == 1


@compiled
def fetch_idle(state: NDArray[np.int64]) -> bool:
    """All instructions are handed over."""
    return state[FETCH_INDEX] == state[_COUNT]


@compiled
def fetch_status(state: NDArray[np.int64]) -> int:
    """0 idle, 1 busy, 3 stall."""
    if state[_HANDED]:
        return 1
    return 0 if state[FETCH_INDEX] == state[_COUNT] else 3


@compiled
def fetch_clock(state: NDArray[np.int64], accepted: int, beat: int, room: int) -> None:
    """End the cycle; arguments are 0 or 1."""
    handed = state[_HANDED]
    state[_HANDED] = 1 if room and not handed else 0
    if handed:
        state[_HEAD] = 0
        state[_LEVEL] -= 1
        state[_RESERVED] -= 1
        state[FETCH_INDEX] += 1
    elif state[_LEVEL]:
        state[_HEAD] = 1
    if accepted:
        state[_PART] += 1
        if state[_PART] == state[_BURSTS]:
            state[_PART] = 0
            state[_TO_ASK] -= 1
            state[_RESERVED] += 1
    if beat:
        state[_BEAT] += 1
        if state[_BEAT] == state[_BEATS]:
            state[_BEAT] = 0
            state[_LEVEL] += 1
