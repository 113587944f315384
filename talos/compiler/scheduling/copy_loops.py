"""A loop nest over runs of bytes in activation memory → fields of VECTOR (copies) or FILL (constants), which have two loops each."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import permutations, product

from talos.compiler.scheduling.pieces import MAX_COUNT, block_fields
from talos.isa import INSTRUCTIONS, Opcode

__all__ = ["CopyLoop", "copy_instructions", "fill_instructions"]

_VECTOR = {field.name: field.high for field in INSTRUCTIONS[Opcode.VECTOR].body}
_FILL = {field.name: field.high for field in INSTRUCTIONS[Opcode.FILL].body}


@dataclass(frozen=True)
class CopyLoop:
    """`count` copies; bytes from the one to the next in the source and in the target."""

    count: int
    source: int
    target: int

    @property
    def reach(self) -> int:
        """The longer of the two strides."""
        return max(abs(self.source), abs(self.target))


def copy_instructions(source: int, target: int, channels: int, loops: Sequence[CopyLoop], cols: int) -> Iterator[dict[str, int]]:
    """Fields of the VECTOR instructions, as few as possible, that copy `channels` bytes from `source` to `target` for all steps of `loops`."""
    channels, nest = _joined(channels, loops, cols * MAX_COUNT, MAX_COUNT)
    (rows, columns), rest = _chosen(nest, (_VECTOR["a_row_stride"], _VECTOR["a_pixel_stride"]))
    for steps in product(*(range(loop.count) for loop in rest)):
        a = source + sum(step * loop.source for step, loop in zip(steps, rest, strict=True))
        dst = target + sum(step * loop.target for step, loop in zip(steps, rest, strict=True))
        parts = (_parts(rows.count, MAX_COUNT), _parts(columns.count, MAX_COUNT), _parts(channels, cols * MAX_COUNT))
        for row, column, run in product(*parts):
            yield {
                "out_h": len(row),
                "out_w": len(column),
                "a": a + row.start * rows.source + column.start * columns.source + run.start,
                "a_row_stride": rows.source,
                "a_pixel_stride": columns.source,
                "dst": dst + row.start * rows.target + column.start * columns.target + run.start,
                "dst_row_stride": rows.target,
                "dst_pixel_stride": columns.target,
                **block_fields(len(run), cols),
            }


def fill_instructions(target: int, channels: int, loops: Sequence[tuple[int, int]]) -> Iterator[dict[str, int]]:
    """Fields of the FILL instructions that write `channels` bytes from `target` on, for all steps of `loops` (count, bytes between)."""
    nest = [CopyLoop(count, stride, stride) for count, stride in loops]
    channels, nest = _joined(channels, nest, _FILL["row_bytes"], _FILL["rows"])
    (rows, planes), rest = _chosen(nest, (_FILL["dst_row_stride"], _FILL["dst_plane_stride"]))
    for steps in product(*(range(loop.count) for loop in rest)):
        dst = target + sum(step * loop.target for step, loop in zip(steps, rest, strict=True))
        for row, plane in product(_parts(rows.count, _FILL["rows"]), _parts(planes.count, _FILL["planes"])):
            yield {
                "row_bytes": channels,
                "rows": len(row),
                "planes": len(plane),
                "dst": dst + row.start * rows.target + plane.start * planes.target,
                "dst_row_stride": rows.target,
                "dst_plane_stride": planes.target,
            }


def _parts(count: int, most: int) -> list[range]:
    return [range(first, min(first + most, count)) for first in range(0, count, most)]


def _joined(channels: int, loops: Sequence[CopyLoop], longest: int, most: int) -> tuple[int, list[CopyLoop]]:
    """The same copies with fewer loops: runs that follow each other on both sides are one run, loops that continue each other one loop.

    No run becomes longer than `longest`, no loop takes more than `most` steps.
    """
    nest = [loop for loop in loops if loop.count > 1]
    while True:
        follow = next(
            (loop for loop in nest if loop.source == loop.target == channels and channels * loop.count <= longest), None
        )
        if follow is not None:
            channels *= follow.count
            nest.remove(follow)
            continue
        pair = next(((outer, inner) for outer, inner in permutations(nest, 2) if _continues(outer, inner, most)), None)
        if pair is None or len(nest) <= 2:
            return channels, nest
        outer, inner = pair
        nest = [loop for loop in nest if loop is not outer and loop is not inner]
        nest.append(replace(inner, count=outer.count * inner.count))


def _continues(outer: CopyLoop, inner: CopyLoop, most: int) -> bool:
    """Whether the next step of `outer` is where `inner` would go on."""
    ends = (inner.count * inner.source, inner.count * inner.target)
    return (outer.source, outer.target) == ends and outer.count * inner.count <= most


def _chosen(nest: list[CopyLoop], limits: tuple[int, int]) -> tuple[list[CopyLoop], list[CopyLoop]]:
    """The two loops of most steps whose strides an instruction's loops can take (`limits`), and those that take instructions of their own."""
    rest = sorted(nest, key=lambda loop: -loop.count)
    chosen = [CopyLoop(1, 0, 0), CopyLoop(1, 0, 0)]
    for position in (1, 0):
        fitting = next((loop for loop in rest if loop.reach <= limits[position]), None)
        if fitting is not None:
            chosen[position] = fitting
            rest = [loop for loop in rest if loop is not fitting]
    return chosen, rest
