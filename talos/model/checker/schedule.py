"""Runs the units of a program against each other, without time: every program that can deadlock does so here.

Units take instructions from finite queues, filled in program order; they wait for semaphores, for weights and for room in the weight
FIFO. All of this only ever enables: what can start stays able to start until it does. So one interleaving that reaches the end shows
that all do. Where hardware overlaps instructions of one unit, this model is stricter: it pops one when the last has finished.

On the way each instruction gets a vector clock: how many instructions of each unit have certainly finished when it starts. The m-th
wait between two units takes the m-th post, since both work in order.
"""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from talos.config import AcceleratorConfig
from talos.errors import TalosError
from talos.isa import SYNC_UNITS, Instruction, Unit
from talos.model.checker.fields import name

__all__ = ["UNITS", "Schedule", "matmul_bytes", "run_schedule"]

UNITS = tuple(unit for unit in Unit if unit != Unit.FETCH)

Clock = list[int]


def matmul_bytes(i: Instruction, config: AcceleratorConfig) -> int:
    """Weights that a MATMUL takes from the FIFO."""
    return i["blocks"] * i["taps_h"] * i["taps_w"] * i["slices"] * config.rows * config.cols


@dataclass(frozen=True)
class Schedule:
    """`members[unit]`: program indices of its instructions in order; `clock[i, unit]`: how many of them finish before i starts."""

    members: dict[Unit, list[int]]
    clock: npt.NDArray[np.int32]


@dataclass
class _UnitState:
    members: list[int] = field(default_factory=list)
    dispatched: int = 0
    started: int = 0
    running: bool = False
    need: int = 0  # bytes of weights that the running instruction has still to move
    clock: Clock = field(default_factory=lambda: [0] * len(Unit))


class _Simulation:
    def __init__(self, instructions: tuple[Instruction, ...], config: AcceleratorConfig) -> None:
        self.instructions = instructions
        self.config = config
        # The last burst is only asked for when there is room for all of it.
        self.capacity = config.weight_fifo_bytes - config.max_burst * config.beat_bytes
        self.level = 0
        self.fetched = 0
        self.units: dict[Unit, _UnitState] = {unit: _UnitState() for unit in UNITS}
        for index, instruction in enumerate(instructions):
            self.units[instruction.unit].members.append(index)
        self.posts: dict[tuple[Unit, Unit], list[Clock]] = {(p, u): [] for p in SYNC_UNITS for u in SYNC_UNITS}
        self.taken = dict.fromkeys(self.posts, 0)
        self.clocks: list[Clock] = [[]] * len(instructions)

    def run(self) -> Schedule:
        moved = True
        while moved:
            moved = self._dispatch()
            for unit, state in self.units.items():
                while self._advance(unit, state):
                    moved = True
        if self.fetched < len(self.instructions) or any(s.running or s.started < s.dispatched for s in self.units.values()):
            raise TalosError(f"deadlock: {'; '.join(self._reasons())}")
        clock = np.array(self.clocks, np.int32).reshape(-1, len(Unit))
        return Schedule({unit: state.members for unit, state in self.units.items()}, clock)

    def _dispatch(self) -> bool:
        before = self.fetched
        while self.fetched < len(self.instructions):
            state = self.units[self.instructions[self.fetched].unit]
            if state.dispatched - state.started == self.config.queue_depth:
                break
            state.dispatched += 1
            self.fetched += 1
        return self.fetched != before

    def _advance(self, unit: Unit, state: _UnitState) -> bool:
        """One step of `unit`: start, move weights or finish. False if it cannot."""
        if not state.running:
            return state.started < state.dispatched and self._start(unit, state)
        if state.need:
            step = min(state.need, self.capacity - self.level if unit == Unit.WEIGHTS else self.level)
            self.level += step if unit == Unit.WEIGHTS else -step
            state.need -= step
            return step > 0
        state.running = False
        index = state.members[state.started - 1]
        post = self.instructions[index]["post"]
        if post:
            clock = list(self.clocks[index])
            clock[unit] = state.started
            for bit, waiter in enumerate(SYNC_UNITS):
                if post >> bit & 1:
                    self.posts[unit, waiter].append(clock)
        return True

    def _start(self, unit: Unit, state: _UnitState) -> bool:
        index = state.members[state.started]
        instruction = self.instructions[index]
        pairs = _waits(unit, instruction["wait"])
        if any(len(self.posts[pair]) <= self.taken[pair] for pair in pairs):
            return False
        for pair in pairs:
            state.clock = [max(both) for both in zip(state.clock, self.posts[pair][self.taken[pair]], strict=True)]
            self.taken[pair] += 1
        self.clocks[index] = state.clock
        state.started += 1
        state.running = True
        if unit == Unit.MATRIX:
            state.need = matmul_bytes(instruction, self.config)
        elif unit == Unit.WEIGHTS:
            state.need = instruction["bytes"]
        return True

    def _reasons(self) -> list[str]:
        """Why each unit that has something to do does not do it."""
        reasons = []
        if self.fetched < len(self.instructions):
            instruction = self.instructions[self.fetched]
            reasons.append(f"{name(self.fetched, instruction)} finds the queue of {instruction.unit.name} full")
        for unit, state in self.units.items():
            if state.running:
                index = state.members[state.started - 1]
                what = f"room for {state.need} bytes in the FIFO" if unit == Unit.WEIGHTS else f"{state.need} bytes of weights"
            elif state.started < state.dispatched:
                index = state.members[state.started]
                pairs = [p for p in _waits(unit, self.instructions[index]["wait"]) if len(self.posts[p]) <= self.taken[p]]
                what = " and ".join(self._missing_post(pair) for pair in pairs)
            else:
                continue
            reasons.append(f"{name(index, self.instructions[index])} waits for {what}")
        return reasons

    def _missing_post(self, pair: tuple[Unit, Unit]) -> str:
        poster, waiter = pair
        number = self.taken[pair]
        bit = 1 << SYNC_UNITS.index(waiter)
        posts = [index for index in self.units[poster].members if self.instructions[index]["post"] & bit]
        source = name(posts[number], self.instructions[posts[number]]) if number < len(posts) else f"no {poster.name} instruction"
        return f"post {number + 1} of {poster.name}, which {source} gives"


def _waits(unit: Unit, mask: int) -> list[tuple[Unit, Unit]]:
    return [(poster, unit) for bit, poster in enumerate(SYNC_UNITS) if mask >> bit & 1]


def run_schedule(instructions: tuple[Instruction, ...], config: AcceleratorConfig) -> Schedule:
    """Clocks of every instruction. Raises TalosError that names the instructions which wait for ever."""
    return _Simulation(instructions, config).run()
