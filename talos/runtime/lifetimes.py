"""How long what lies in an on-chip memory is needed: from the instruction that begins to write it to the end of its last reader."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from talos.effects import Access, effects
from talos.isa import Opcode
from talos.model.timing.core import Timing
from talos.program import Program

__all__ = ["LifeTimes", "life_times"]

Integers = NDArray[np.int64]

_NEVER = -1


@dataclass(frozen=True)
class LifeTimes:
    """One entry for each rectangle of addresses × cycles: addresses `low` ≤ … < `high` are in use in cycles `begin` ≤ … ≤ `end`.

    `writers` are the instructions that wrote there first (padding apart, unless there is nothing else), `layers` theirs.
    `peak` is the most addresses in use in one cycle.
    """

    low: Integers
    high: Integers
    begin: Integers
    end: Integers
    writers: Integers
    layers: Integers
    peak: int


class _Memory:
    """The state of each line of `grain` addresses while the run is followed instruction by instruction."""

    def __init__(self, size: int, grain: int) -> None:
        count = -(-size // grain)
        self._grain = grain
        self._writer = np.full(count, _NEVER, np.int64)
        self._begin = np.zeros(count, np.int64)
        self._last = np.full(count, _NEVER, np.int64)  # end of the last reader
        self._written = np.zeros(count, np.int64)  # end of the last writer
        self.rectangles: list[tuple[int, int, int, int, int]] = []

    def read(self, access: Access, end: int) -> None:
        lines = self._lines(access)
        self._last[lines] = np.maximum(self._last[lines], end)

    def write(
        self, access: Access, writer: int, begin: int, end: int, same: NDArray[np.bool_], padding: NDArray[np.bool_]
    ) -> None:
        """`same[i]`: what instruction i wrote there and nobody has read yet is part of what `writer` writes; `padding[i]`: it is only padding."""
        lines = self._lines(access)
        before = self._writer[lines]
        partial = bool(access.period)  # some channels of a tensor: the others were written before
        goes_on = (before != _NEVER) & (self._last[lines] == _NEVER) & (same[before] | partial)
        if not padding[writer]:
            self._writer[lines[goes_on & padding[before]]] = writer
        new = lines[~goes_on]
        self._close(new[self._writer[new] != _NEVER])
        self._writer[new], self._begin[new], self._last[new] = writer, begin, _NEVER
        self._written[lines] = end

    def finish(self) -> None:
        self._close(np.flatnonzero(self._writer != _NEVER))

    def _lines(self, access: Access) -> Integers:
        low, high = access.low // self._grain, -(-access.high // self._grain)
        if access.period < 2 * self._grain:
            return np.arange(low, high)
        starts = np.arange(access.low, access.high, access.period)
        first, last = starts // self._grain, -(-np.minimum(starts + access.width, access.high) // self._grain)
        steps = np.arange(int((last - first).max()))
        lines = first[:, None] + steps
        return np.unique(lines[lines < last[:, None]])

    def _close(self, lines: Integers) -> None:
        """What `lines` hold is not needed any more; neighbours with the same life are one rectangle."""
        if not len(lines):
            return
        end = np.maximum(self._last[lines], self._written[lines])
        keys = np.stack([self._writer[lines], self._begin[lines], end])
        breaks = np.flatnonzero((np.diff(lines) != 1) | (np.diff(keys) != 0).any(axis=0)) + 1
        for first, last in zip([0, *breaks.tolist()], [*breaks.tolist(), len(lines)], strict=True):
            low, high = int(lines[first]) * self._grain, (int(lines[last - 1]) + 1) * self._grain
            self.rectangles.append((low, high, int(keys[1, first]), int(end[first]), int(keys[0, first])))


def life_times(program: Program, timing: Timing, space: str, size: int, grain: int = 1) -> LifeTimes:
    """The use of the `size` addresses of `space` (see `talos.effects`), looked at in lines of `grain` addresses.

    What a layer's instructions of one unit write one after another without a reader between them is one tensor; so is the padding around it.
    """
    layers = np.array(program.layer_of, np.int64)
    kinds = np.array([int(i.unit) for i in program.instructions], np.int64)
    fills = np.array([i.opcode is Opcode.FILL for i in program.instructions], np.bool_)
    memory = _Memory(size, grain)
    for index in np.argsort(timing.starts, kind="stable").tolist():
        instruction = program.instructions[index]
        begin, end = int(timing.starts[index]), int(timing.ends[index])
        accesses = [access for access in effects(instruction, program.config) if access.space == space]
        for access in accesses:
            if not access.write:
                memory.read(access, end)
        for access in accesses:
            if access.write:
                same = (layers == layers[index]) & (kinds == kinds[index]) | fills | fills[index]
                memory.write(access, index, begin, end, same, fills)
    memory.finish()
    table = np.array(memory.rectangles, np.int64).reshape(-1, 5)
    low, high, begins, ends, writers = table.T
    return LifeTimes(low, high, begins, ends, writers, layers[writers], _peak(low, high, begins, ends))


def _peak(low: Integers, high: Integers, begin: Integers, end: Integers) -> int:
    times, sizes = np.concatenate([begin, end + 1]), np.concatenate([high - low, low - high])
    order = np.lexsort((sizes, times))  # what ends makes room before what begins takes it
    return int(np.cumsum(sizes[order]).max(initial=0))
