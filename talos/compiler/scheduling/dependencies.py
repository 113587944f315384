"""From what instructions touch to the semaphores that order them.

Instructions are emitted in an order in which executing them one after another is right. Units run concurrently, each in order; a
dependency between two units becomes a post on the earlier instruction and a wait on the later one. Both units being in order, the
m-th wait always meets the m-th post as long as each new dependency reaches further than the last one waited for.
"""

from bisect import bisect_left
from collections.abc import Iterable
from functools import lru_cache
from math import gcd

from talos.effects import Access
from talos.isa import SYNC_UNITS, Instruction, Unit

__all__ = ["DependencyTracker"]

_BIT = {unit: 1 << i for i, unit in enumerate(SYNC_UNITS)}


_Lane = tuple[int, int, int]  # which addresses of a stretch are touched: period, residue of the first, width; zeros for all


@lru_cache(maxsize=1 << 16)
def _meet(one: _Lane, other: _Lane) -> bool:
    """Whether two accesses to one stretch may touch the same address; see `Access.meets`."""
    period = gcd(one[0], other[0])
    if not (one[0] and other[0]):
        return True
    distance = (other[1] - one[1]) % period
    return distance < one[2] or period - distance < other[2]


class _Segments:
    """The accesses per address range that later ones may conflict with. Ranges are kept as sorted, adjacent segments.

    A segment has for each lane its last write, and for each lane the last read of each unit: units work in order, so these are enough.
    """

    def __init__(self) -> None:
        self._starts = [0]
        self._writes: list[dict[_Lane, tuple[Unit, int]]] = [{}]
        self._reads: list[dict[_Lane, dict[Unit, int]]] = [{}]

    def _split(self, address: int) -> int:
        index = bisect_left(self._starts, address)
        if index < len(self._starts) and self._starts[index] == address:
            return index
        self._starts.insert(index, address)
        self._writes.insert(index, dict(self._writes[index - 1]))
        self._reads.insert(index, {lane: dict(units) for lane, units in self._reads[index - 1].items()})
        return index

    def touch(self, access: Access, unit: Unit, index: int) -> set[tuple[Unit, int]]:
        """The conflicting accesses of all units, as (unit, number)."""
        lane = (access.period, access.low % access.period, access.width) if access.period else (0, 0, 0)
        first, last = self._split(access.low), self._split(access.high)
        found: set[tuple[Unit, int]] = set()
        for segment in range(first, last):
            writes, reads = self._writes[segment], self._reads[segment]
            found.update(entry for other, entry in writes.items() if _meet(lane, other))
            if not access.write:
                reads.setdefault(lane, {})[unit] = index
                continue
            for other, units in reads.items():
                if _meet(lane, other):
                    found.update(units.items())
            # Whatever conflicts with an earlier access of these bytes conflicts with this one too, which comes behind it.
            if access.period:
                writes[lane] = (unit, index)
                reads.pop(lane, None)
        if access.write and not access.period:
            self._starts[first:last] = [access.low]
            self._writes[first:last] = [{lane: (unit, index)}]
            self._reads[first:last] = [{}]
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
            for other, earlier in self._spaces.setdefault(access.space, _Segments()).touch(access, unit, index):
                if other != unit:
                    needed[other] = max(needed.get(other, -1), earlier)
        for other, earlier in needed.items():
            if earlier > self._waited.get((other, unit), -1):
                self._waited[other, unit] = earlier
                self._instructions[other, earlier]["post"] |= _BIT[unit]
                instruction["wait"] |= _BIT[other]
