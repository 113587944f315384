"""How layers of the vector unit are cut to fit the free memory and an instruction's counters: bands of rows, columns, channel blocks."""

from collections.abc import Callable, Iterator

from talos.compiler.scheduling.builder import OutOfMemory
from talos.compiler.scheduling.tiling import splits

__all__ = ["BAND_READS", "MAX_COUNT", "bands", "block_fields", "channel_parts", "column_step"]

BAND_READS = 320
"""Per channel block: small enough that bands overlap with the layers around, large against an instruction's overhead."""

MAX_COUNT = 1024
"""Rows, columns and blocks that an instruction counts."""


def bands(height: int, row_bytes: int, row_reads: int, room: int) -> Iterator[tuple[int, int]]:
    """Rows [top, bottom) whose buffers (`row_bytes` a row) fit `room` twice if possible. Raises OutOfMemory if not even one row fits."""
    if row_bytes > room:
        raise OutOfMemory(row_bytes)
    most = room // (2 * row_bytes) if row_bytes else height
    wanted = max(1, min(most, BAND_READS // row_reads))
    rows = next(size for size in splits(height) if size <= wanted or size == 1)
    for top in range(0, height, rows):
        yield top, min(top + rows, height)


def column_step(width: int, pixel_bytes: int, room: int) -> int:
    """Columns of a piece: a whole row if its buffers (`pixel_bytes` a pixel) fit `room`, else parts that fit twice if possible."""
    most = room if width * pixel_bytes <= room else room // 2
    return next(size for size in splits(width) if size <= MAX_COUNT and (size * pixel_bytes <= most or size == 1))


def channel_parts(channels: int, cols: int, fits: Callable[[int], bool]) -> list[range]:
    """`channels` in the fewest parts of whole blocks that `fits` accepts by their channel count; single blocks if it accepts none."""
    sizes = (size for size in splits(-(-channels // cols)) if size <= MAX_COUNT)
    size = next((size for size in sizes if fits(min(size * cols, channels))), 1) * cols
    return [range(first, min(first + size, channels)) for first in range(0, channels, size)]


def block_fields(channels: int, cols: int) -> dict[str, int]:
    """An instruction's fields for so many channels."""
    blocks = -(-channels // cols)
    return {"blocks": blocks, "tail": channels - (blocks - 1) * cols}
