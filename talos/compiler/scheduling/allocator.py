"""Placement in on-chip memory: around what stays, tiles that come and go reuse freed space as late as possible."""

from collections import deque
from collections.abc import Iterable, Iterator

__all__ = ["Allocator"]

Span = tuple[int, int]

RECENT = 4  # tiles whose places are avoided: input, residual and output of one step, and the next input


class Allocator:
    """Places blocks in [0, size).

    `bank` is the size of an independently accessible address range; of equally good places the one that shares the fewest banks with
    `avoid` (ranges that another unit uses at the same time) is taken.
    """

    def __init__(self, size: int, *, align: int = 1, bank: int = 0) -> None:
        self.size = size
        self._align = align
        self._bank = bank or size
        self._used: dict[int, int] = {}  # start → end
        self._cursor = 0
        self._recent: deque[Span] = deque(maxlen=RECENT)

    @property
    def used(self) -> int:
        """Bytes taken."""
        return sum(end - start for start, end in self._used.items())

    def allocate(self, size: int, avoid: Iterable[Span] = ()) -> int | None:
        """The start of `size` free bytes for a while, or None.

        Not where one of the last tiles was, so that a new tile rarely waits for an old one; where another of this size still fits.
        """
        size = self._rounded(size)
        gaps = list(self._gaps(1))
        places: list[tuple[bool, int, int, int, int]] = []
        for index, (begin, end) in enumerate(gaps):
            last = end - size
            if last >= begin:
                others = self._largest(gaps, index)
                starts = {begin, last, *range(-(-begin // self._bank) * self._bank, last + 1, self._bank)}
                if begin <= self._cursor <= last:
                    starts.add(self._cursor)
                for start in starts:
                    cramped = max(others, start - begin, last - start) < size
                    distance = (start - self._cursor) % self.size
                    places.append((cramped, self._recency(start, size), self._shared(start, size, avoid), distance, start))
        if not places:
            return None
        *_, start = min(places)
        self._take(start, size)
        self._cursor = (start + size) % self.size
        self._recent.append((start, start + size))
        return start

    def reserve(self, start: int, size: int) -> None:
        """Take [start, start + size), which must be free, and end at the alignment."""
        self._take(start, self._rounded(size))

    def free(self, start: int) -> None:
        """Give back the block at `start`."""
        del self._used[start]

    def _rounded(self, size: int) -> int:
        return -(-size // self._align) * self._align

    @staticmethod
    def _largest(gaps: list[Span], but: int) -> int:
        return max((end - begin for index, (begin, end) in enumerate(gaps) if index != but), default=0)

    def _take(self, start: int, size: int) -> None:
        self._used[start] = start + size

    def _recency(self, start: int, size: int) -> int:
        """How recently a tile was where [start, start + size) is: 0 for not lately, RECENT for the last one."""
        used = [age for age, (begin, end) in enumerate(self._recent, 1) if begin < start + size and start < end]
        return max(used, default=0)

    def _shared(self, start: int, size: int, avoid: Iterable[Span]) -> int:
        """Banks of [start, start + size) that `avoid` touches too."""
        banks = set(range(start // self._bank, -(-(start + size) // self._bank)))
        return len(banks & self._banks(avoid))

    def _banks(self, spans: Iterable[Span]) -> set[int]:
        return {bank for start, end in spans for bank in range(start // self._bank, -(-end // self._bank))}

    def _gaps(self, least: int) -> Iterator[Span]:
        """Free ranges of at least `least` bytes."""
        position = 0
        for begin, end in [*sorted(self._used.items()), (self.size, self.size)]:
            if begin - position >= least:
                yield position, begin
            position = end
