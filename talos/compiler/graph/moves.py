"""Moves of a `Rearrange`: which bytes they touch, and the part of a move that lies in a box."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from talos.compiler.graph.ir import Loop, Move, Position

__all__ = ["Extent", "clipped", "copies", "move_positions", "source_extent", "target_extent"]

Span = tuple[int, int]
Extent = tuple[Span, Span, Span]
"""Rows, columns and channels [first, last) of a tensor."""

Positions = npt.NDArray[np.int64]


def copies(shape: Position) -> Move:
    """The whole of input 0, a tensor of `shape`, to the same place in the output."""
    loops = [Loop(count, step, step) for count, step in ((shape[0], (1, 0, 0)), (shape[1], (0, 1, 0))) if count > 1]
    return Move(0, (0, 0, 0), (0, 0, 0), shape[2], tuple(loops))


def source_extent(move: Move) -> Extent:
    """The smallest box of the source that holds all bytes read."""
    return _extent(move, move.source, [loop.source for loop in move.loops])


def target_extent(move: Move) -> Extent:
    """The smallest box of the output that holds all bytes written."""
    return _extent(move, move.target, [loop.target for loop in move.loops])


def _extent(move: Move, start: Position, steps: Sequence[Position]) -> Extent:
    def span(axis: int) -> Span:
        ends = [(loop.count - 1) * step[axis] for loop, step in zip(move.loops, steps, strict=True)]
        length = move.channels if axis == 2 else 1
        return start[axis] + sum(min(end, 0) for end in ends), start[axis] + sum(max(end, 0) for end in ends) + length

    return span(0), span(1), span(2)


def clipped(move: Move, axis: int, low: int, high: int) -> Iterator[Move]:
    """The moves that write what `move` writes between `low` and `high` along `axis` of the output (0 rows, 1 columns, 2 channels)."""
    first, last = target_extent(move)[axis]
    if low <= first and last <= high:
        yield move
        return
    if last <= low or high <= first:
        return
    along = [loop for loop in move.loops if loop.target[axis]]
    if not along:  # the run of channels itself is cut
        skip = max(low - first, 0)
        rest = min(high - first, move.channels) - skip
        source, target = _ahead(move.source, (0, 0, skip)), _ahead(move.target, (0, 0, skip))
        yield replace(move, source=source, target=target, channels=rest)
        return
    outer = max(along, key=lambda loop: loop.target[axis])
    inner = tuple(loop for loop in move.loops if loop is not outer)
    whole: list[Move] = []
    for step in range(outer.count):
        source, target = _ahead(move.source, outer.source, step), _ahead(move.target, outer.target, step)
        part = replace(move, source=source, target=target, loops=inner)
        first, last = target_extent(part)[axis]
        if low <= first and last <= high:
            whole.append(part)  # the steps of these follow each other: the output only moves forwards
        else:
            yield from clipped(part, axis, low, high)
    if whole:
        loops = (*inner, replace(outer, count=len(whole))) if len(whole) > 1 else inner
        yield replace(whole[0], loops=loops)


def _ahead(position: Position, step: Position, count: int = 1) -> Position:
    return position[0] + count * step[0], position[1] + count * step[1], position[2] + count * step[2]


def move_positions(move: Move, source: Position, target: Position) -> tuple[Positions, Positions]:
    """The byte read of a tensor of shape `source`, and the byte written of an output of shape `target`, for each copy that `move` makes."""
    return (
        _positions(move, source, move.source, [loop.source for loop in move.loops]),
        _positions(move, target, move.target, [loop.target for loop in move.loops]),
    )


def _positions(move: Move, shape: Position, start: Position, steps: Sequence[Position]) -> Positions:
    strides = np.array((shape[1] * shape[2], shape[2], 1))
    positions = np.arange(move.channels) + strides @ np.array(start)
    for loop, step in zip(move.loops, steps, strict=True):
        positions = np.add.outer(np.arange(loop.count) * (strides @ np.array(step)), positions)
    return np.asarray(positions, np.int64).reshape(-1)
