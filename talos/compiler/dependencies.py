"""From what instructions touch to the semaphores that order them.

Instructions are emitted in an order in which executing them one after another is right. Units run concurrently, each in order; a
dependency between two units becomes a post on the earlier instruction and a wait on the later one. Both units being in order, the
m-th wait always meets the m-th post as long as each new dependency reaches further than the last one waited for.
"""

from bisect import bisect_left
from collections.abc import Iterable

from talos.effects import Access
from talos.isa import SYNC_UNITS, Instruction, Unit

__all__ = ["DependencyTracker"]

_BIT = {unit: 1 << i for i, unit in enumerate(SYNC_UNITS)}


class _Segments:
    """The last writer and the readers since, per address range. Ranges are kept as sorted, adjacent segments."""

    def __init__(self) -> None:
        self._starts = [0]
        self._writer: list[tuple[Unit, int] | None] = [None]
        self._readers: list[dict[Unit, int]] = [{}]

    def _split(self, address: int) -> int:
        index = bisect_left(self._starts, address)
        if index < len(self._starts) and self._starts[index] == address:
            return index
        self._starts.insert(index, address)
        self._writer.insert(index, self._writer[index - 1])
        self._readers.insert(index, dict(self._readers[index - 1]))
        return index

    def read(self, low: int, high: int, unit: Unit, index: int) -> set[tuple[Unit, int]]:
        first = self._split(low)
        last = self._split(high)
        found = set()
        for segment in range(first, last):
            writer = self._writer[segment]
            if writer is not None:
                found.add(writer)
            self._readers[segment][unit] = index
        return found

    def write(self, low: int, high: int, unit: Unit, index: int) -> set[tuple[Unit, int]]:
        first = self._split(low)
        last = self._split(high)
        found: set[tuple[Unit, int]] = set()
        for segment in range(first, last):
            found.update(self._readers[segment].items())
            writer = self._writer[segment]
            if writer is not None:
                found.add(writer)
        self._starts[first:last] = [low]
        self._writer[first:last] = [(unit, index)]
        self._readers[first:last] = [{}]
        return found


class DependencyTracker:
    """Sets `wait` and `post` of the instructions given to `add`, in program order."""

    def __init__(self, untracked: Iterable[str] = ()) -> None:
        self._untracked = frozenset(untracked)
        self._spaces: dict[str, _Segments] = {}
        self._instructions: dict[tuple[Unit, int], Instruction] = {}
        self._counts: dict[Unit, int] = dict.fromkeys(Unit, 0)
        self._waited: dict[tuple[Unit, Unit], int] = {}

    def add(self, instruction: Instruction, accesses: Iterable[Access]) -> None:
        """Order `instruction` behind the earlier ones that `accesses` conflict with."""
        unit = instruction.unit
        index = self._counts[unit]
        self._counts[unit] = index + 1
        self._instructions[unit, index] = instruction
        needed: dict[Unit, int] = {}
        for access in sorted(accesses, key=lambda access: access.write):
            if access.space in self._untracked:
                continue
            segments = self._spaces.setdefault(access.space, _Segments())
            touch = segments.write if access.write else segments.read
            for other, earlier in touch(access.low, access.high, unit, index):
                if other != unit:
                    needed[other] = max(needed.get(other, -1), earlier)
        for other, earlier in needed.items():
            if earlier > self._waited.get((other, unit), -1):
                self._waited[other, unit] = earlier
                self._instructions[other, earlier]["post"] |= _BIT[unit]
                instruction["wait"] |= _BIT[other]
