"""Cycle behaviour of the control plane: instruction queues, semaphores, end of a run, counters.

Equal to `talos/rtl/{queue,semaphores,control,counters}.py` in every cycle, errors and aborts left out. Cycle 0 of a run is the one
with `begin` (`fetch_begin`).

In each cycle everything is read first: `queue_head`, `queue_room`, `semaphores_ready`, `run_finished`. The cycle is then ended by the
changes, `semaphores_take` of all units before `semaphores_post` of any: a unit that takes in the cycle of the post leaves the count
as it is. `queue_clock` comes before `queue_push` and `queue_pop`.
"""

import numpy as np
from numpy.typing import NDArray

from talos.config import AcceleratorConfig
from talos.isa import INSTRUCTIONS, SYNC_UNITS, Opcode, Unit
from talos.model.timing.compiled import compiled
from talos.model.timing.fields import OPCODE

__all__ = [
    "SEMAPHORE_MAXIMUM",
    "SLOT",
    "count_status",
    "program_lists",
    "program_targets",
    "queue_clock",
    "queue_empty",
    "queue_first",
    "queue_head",
    "queue_pop",
    "queue_push",
    "queue_room",
    "queue_state",
    "run_finished",
    "semaphores_post",
    "semaphores_ready",
    "semaphores_state",
    "semaphores_take",
]

SEMAPHORE_MAXIMUM = 255
SLOT: dict[Unit, int] = {unit: slot for slot, unit in enumerate(SYNC_UNITS)}
"""A unit's number in the semaphores and masks."""

_UNITS = len(Unit)
_SYNC = len(SYNC_UNITS)
_LEVEL = 0  # entries, by unit
_POPPED = _UNITS  # entries taken so far, by unit
_HEAD = 2 * _UNITS  # an entry is in the head register, by unit
_DEPTH = 3 * _UNITS
_QUEUE_SIZE = _DEPTH + 1


def program_targets(rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """The unit of each instruction of a program (`talos.model.timing.fields.instruction_rows`), (n,) int64."""
    units = np.zeros(max(Opcode) + 1, np.int64)
    for opcode, fmt in INSTRUCTIONS.items():
        units[opcode] = fmt.unit
    return units[rows[:, OPCODE]]


def program_lists(rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """For each unit the numbers of its instructions in the program, in order, filled up with -1: (units, n) int64."""
    targets = program_targets(rows)
    lists = np.full((_UNITS, len(rows)), -1, np.int64)
    for unit in Unit:
        own = np.flatnonzero(targets == unit)
        lists[unit, : len(own)] = own
    return lists


def queue_state(config: AcceleratorConfig) -> NDArray[np.int64]:
    """Empty instruction queues of all units, 1-D int64."""
    queues = np.zeros(_QUEUE_SIZE, np.int64)
    queues[_DEPTH] = config.queue_depth
    return queues


@compiled
def queue_first(queues: NDArray[np.int64], unit: int) -> int:
    """The first instruction of the unit's queue, offered or not, as an index into its list, -1 if the queue is empty."""
    return queues[_POPPED + unit] if queues[_LEVEL + unit] else -1


@compiled
def queue_head(queues: NDArray[np.int64], unit: int) -> int:
    """The head of the unit's queue as an index into its list (`program_lists`), -1 if the queue offers none."""
    return queues[_POPPED + unit] if queues[_HEAD + unit] else -1


@compiled
def queue_empty(queues: NDArray[np.int64], unit: int) -> bool:
    """The unit's queue holds no instruction."""
    return queues[_LEVEL + unit] == 0


@compiled
def queue_room(queues: NDArray[np.int64], unit: int) -> bool:
    """The unit's queue accepts an instruction in this cycle."""
    return queues[_LEVEL + unit] != queues[_DEPTH]


@compiled
def queue_clock(queues: NDArray[np.int64]) -> None:
    """At the end of a cycle: the empty head registers take an entry."""
    for unit in range(1, _UNITS):
        if queues[_LEVEL + unit]:
            queues[_HEAD + unit] = 1


@compiled
def queue_push(queues: NDArray[np.int64], unit: int) -> None:
    """At the end of a cycle: fetch handed the unit an instruction."""
    queues[_LEVEL + unit] += 1


@compiled
def queue_pop(queues: NDArray[np.int64], unit: int) -> None:
    """At the end of a cycle: the unit started its head."""
    queues[_LEVEL + unit] -= 1
    queues[_HEAD + unit] = 0
    queues[_POPPED + unit] += 1


def semaphores_state() -> NDArray[np.int64]:
    """Semaphores at 0: (posters, waiters) int64, numbered as `SLOT`."""
    return np.zeros((_SYNC, _SYNC), np.int64)


@compiled
def semaphores_ready(semaphores: NDArray[np.int64], waiter: int, mask: int) -> bool:
    """All semaphores that the waiter names in `mask` are above 0."""
    present = 0
    for poster in range(_SYNC):
        if semaphores[poster, waiter]:
            present |= 1 << poster
    return mask & ~present == 0


@compiled
def semaphores_take(semaphores: NDArray[np.int64], waiter: int, mask: int) -> None:
    """At the end of a cycle: the waiter started and takes one of each semaphore in `mask`."""
    for poster in range(_SYNC):
        semaphores[poster, waiter] -= mask >> poster & 1


@compiled
def semaphores_post(semaphores: NDArray[np.int64], poster: int, mask: int) -> bool:
    """At the end of a cycle: the poster finished an instruction that posts to `mask`. True if a semaphore overflows (it stays)."""
    overflow = False
    for waiter in range(_SYNC):
        if mask >> waiter & 1:
            if semaphores[poster, waiter] == SEMAPHORE_MAXIMUM:
                overflow = True
            else:
                semaphores[poster, waiter] += 1
    return overflow


@compiled
def run_finished(queues: NDArray[np.int64], fetch_idle: int, units_idle: int) -> bool:
    """This is the run's last cycle; CYCLES is its number plus one. Not to be asked in cycle 0."""
    if not fetch_idle or not units_idle:
        return False
    waiting = 0
    for unit in range(1, _UNITS):
        waiting += not queue_empty(queues, unit)
    return waiting == 0


@compiled
def count_status(counters: NDArray[np.int64], unit: int, status: int) -> None:
    """Add a cycle to `counters` (units, 3); status 0 idle, 1 busy, 2 sync, 3 stall is column status − 1 of `registers.COUNTERS`."""
    if status:
        counters[unit, status - 1] += 1
