"""Addresses of the tensors that stay in activation memory, for the whole network at once: largest first, at one of its ends.

Placed one by one as the network runs, tensors would leave gaps in which later ones do not fit. What is free between them while a layer
runs is for its tiles.
"""

from collections.abc import Iterable

from talos.compiler.scheduling.builder import Builder
from talos.compiler.scheduling.storage import Storage

__all__ = ["plan_residents", "resident_bytes"]

Span = tuple[int, int]


def resident_bytes(b: Builder, storage: Storage) -> int:
    """What `storage` takes from activation memory when resident."""
    line = b.config.line_bytes
    return -(-(storage.resident_size + b.config.matrix_bytes - 1) // line) * line


def plan_residents(b: Builder, storages: Iterable[Storage]) -> Storage | None:
    """Set `start` of every resident storage. Returns the first one for which no room is left, None if there is room for all.

    Of the lowest and the highest place that is free for a storage's life, the one that shares fewer banks with the others then is taken.
    """
    bank = b.config.activation_bytes // b.config.activation_banks
    placed: list[tuple[Storage, Span]] = []
    for storage in sorted((s for s in storages if s.resident), key=lambda s: (-s.resident_size, s.first)):
        size = resident_bytes(b, storage)
        taken = sorted(span for other, span in placed if other.first <= storage.last and storage.first <= other.last)
        places = _places(taken, size, b.config.activation_bytes)
        if not places:
            return storage
        busy = {number for span in taken for number in _banks(span, bank)}
        storage.start = min(places, key=lambda start: (len(busy.intersection(_banks((start, start + size), bank))), start))
        placed.append((storage, (storage.start, storage.start + size)))
    return None


def _places(taken: list[Span], size: int, end: int) -> list[int]:
    """The lowest and the highest start of `size` bytes in [0, end) that meet no span of `taken` (sorted, perhaps overlapping)."""
    gaps, position = [], 0
    for low, high in [*taken, (end, end)]:
        if low - position >= size:
            gaps.append((position, low))
        position = max(position, high)
    return [gaps[0][0], gaps[-1][1] - size] if gaps else []


def _banks(span: Span, bank: int) -> range:
    return range(span[0] // bank, -(-span[1] // bank))
