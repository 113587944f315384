"""Next-fit memory allocation: freed space is reused as late as possible, so that a new tile rarely waits for an old one."""

from collections.abc import Iterable

__all__ = ["Allocator"]


class Allocator:
    """Places blocks in [0, size).

    `bank` is the size of an independently accessible address range; `allocate` prefers places that share no bank with `avoid`.
    """

    def __init__(self, size: int, *, align: int = 1, bank: int = 0) -> None:
        self.size = size
        self._align = align
        self._bank = bank or size
        self._used: dict[int, int] = {}  # start → end
        self._cursor = 0

    @property
    def used(self) -> int:
        """Bytes taken."""
        return sum(end - start for start, end in self._used.items())

    def allocate(self, size: int, avoid: Iterable[tuple[int, int]] = ()) -> int | None:
        """The start of `size` free bytes, or None. `avoid` holds (start, end) ranges used at the same time by another unit."""
        size = -(-size // self._align) * self._align
        busy = {bank for start, end in avoid for bank in self._banks(start, end)}
        best: tuple[int, int, int] | None = None
        for start in self._candidates(size):
            shared = len(busy.intersection(self._banks(start, start + size)))
            distance = (start - self._cursor) % self.size
            if best is None or (shared, distance) < best[:2]:
                best = (shared, distance, start)
        if best is None:
            return None
        start = best[2]
        self._used[start] = start + size
        self._cursor = (start + size) % self.size
        return start

    def free(self, start: int) -> None:
        """Give back the block that `allocate` placed at `start`."""
        del self._used[start]

    def _banks(self, start: int, end: int) -> range:
        return range(start // self._bank, -(-end // self._bank))

    def _candidates(self, size: int) -> list[int]:
        """Starts at the beginning of each gap, at the cursor and at bank borders inside gaps."""
        starts, position = [], 0
        for begin, end in [*sorted(self._used.items()), (self.size, self.size)]:
            if begin - position >= size:
                places = {position, *range(-(-position // self._bank) * self._bank, begin - size + 1, self._bank)}
                if position <= self._cursor <= begin - size:
                    places.add(self._cursor)
                starts += [place for place in places if position <= place <= begin - size]
            position = end
        return starts
