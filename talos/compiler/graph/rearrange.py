"""Any rearrangement of bytes as few strided moves: the layer whose output has each byte from a given place."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import product

import numpy as np
import numpy.typing as npt

from talos.compiler.graph.index import Index
from talos.compiler.graph.ir import Loop, Move, Position, Rearrange, Tensor
from talos.compiler.graph.moves import copies, move_positions
from talos.compiler.graph.progressions import Progression, progressions

__all__ = ["MAX_MOVES", "TooManyMoves", "copy_of", "fill_code", "find_moves", "gather_cost", "rearrangement", "wanted_index"]

MAX_MOVES = 4096
"""Of a layer: each takes an instruction at least."""

BACKGROUND_MOVES = 4
"""A constant that takes more moves is written everywhere first, and the rest over it."""

_BLOCK, _OVERHEAD = 8, 30  # for the estimate only: bytes that a cycle copies, cycles of a move besides

Codes = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


class TooManyMoves(Exception):
    """A rearrangement is so irregular that it takes more than `MAX_MOVES`."""


def fill_code(value: int) -> int:
    """What stands in an index for the constant byte `value` (int8); -1 is the zero point."""
    return value - 130


def rearrangement(name: str, nodes: tuple[str, ...], inputs: Sequence[Tensor], output: Tensor, wanted: Index) -> Rearrange:
    """The layer that makes `output`, whose byte (h, w, c) is byte `wanted[h, w, c]` of `inputs`, one laid behind the other.

    -1 stands for the output's zero point, `fill_code(value)` for another constant. Raises TooManyMoves.
    """
    moves = find_moves(wanted, [tensor.shape for tensor in inputs], output.zero_point)
    used = sorted({move.operand for move in moves if move.operand is not None}) or [0]
    renumbered = (move if move.operand is None else replace(move, operand=used.index(move.operand)) for move in moves)
    return Rearrange(name, nodes, [inputs[operand] for operand in used], output, moves=tuple(renumbered))


def copy_of(name: str, nodes: tuple[str, ...], tensor: Tensor, output: Tensor) -> Rearrange:
    """The layer that makes `output` a copy of `tensor`."""
    return Rearrange(name, nodes, [tensor], output, moves=(copies(tensor.shape),))


def wanted_index(layer: Rearrange) -> Index:
    """What `layer` makes, as `rearrangement` takes it."""
    starts = np.cumsum([0, *(tensor.size for tensor in layer.inputs)])
    result = np.zeros(layer.output.size, np.int32)
    for move in layer.moves:
        shape = (1, 1, 1) if move.operand is None else layer.inputs[move.operand].shape
        read, written = move_positions(move, shape, layer.output.shape)
        result[written] = fill_code(move.value) if move.operand is None else read + starts[move.operand]
    return result.reshape(layer.output.shape)


def gather_cost(wanted: Index, shape: Position) -> float:
    """About the vector unit's cycles for a rearrangement of one tensor of `shape`: 0 if nothing moves, infinite if it takes too many moves."""
    if wanted.size == np.prod(shape) and np.array_equal(wanted.reshape(-1), np.arange(wanted.size)):
        return 0.0
    try:
        moves = find_moves(wanted, [shape], 0)
    except TooManyMoves:
        return float("inf")
    return float(sum(_OVERHEAD + np.prod([-(-move.channels // _BLOCK), *(loop.count for loop in move.loops)]) for move in moves))


def find_moves(wanted: Index, shapes: Sequence[Position], zero_point: int) -> list[Move]:
    """The moves that make a tensor as `wanted` says, from inputs of `shapes`; see `rearrangement`. Raises TooManyMoves."""
    fills, moves = [], []
    for code, count in zip(*np.unique(wanted[wanted < 0], return_counts=True), strict=True):
        value = zero_point if code == -1 else int(code) - fill_code(0)
        fills.append((int(count), _fills(wanted == code, value)))
    fills.sort(key=lambda fill: fill[0])
    if fills and len(fills[-1][1]) > BACKGROUND_MOVES:
        moves += _fills(np.ones(wanted.shape, bool), fills.pop()[1][0].value)
    moves += [move for _, found in fills for move in found]
    start = 0
    for operand, shape in enumerate(shapes):
        end = start + int(np.prod(shape))
        mask = (wanted >= start) & (wanted < end)
        if mask.any():
            places = _Places(shape)
            moves += _moves(places.codes[np.where(mask, wanted - start, 0)], mask, places, operand)
        start = end
    if len(moves) > MAX_MOVES:
        raise TooManyMoves
    return moves


def _fills(mask: Mask, value: int) -> list[Move]:
    """The moves that write `value` to the places in `mask`."""
    return [replace(move, value=value) for move in _moves(np.zeros(mask.shape, np.int64), mask, _Places((1, 1, 1)), None)]


def _moves(codes: Codes, mask: Mask, places: "_Places", operand: int | None) -> list[Move]:
    """The moves to the places in `mask`; what each of them reads is a code of `places`."""
    moves = []
    for sequences in _parts(codes, mask):
        for rows, columns, channels in product(*sequences):
            moves.append(_move(places, operand, rows, columns, channels))
            if len(moves) > MAX_MOVES:
                raise TooManyMoves
    return moves


class _Places:
    """The places of a tensor as numbers, such that each difference of two places (in rows, columns, channels) has a number of its own.

    `codes` are the numbers of its bytes.
    """

    def __init__(self, shape: Position) -> None:
        self._shape = shape
        self._columns, self._channels = 2 * shape[1] + 1, 2 * shape[2] + 1
        rows, columns, channels = (np.arange(size) for size in shape)
        first = np.add.outer(rows * self._columns, columns) * self._channels
        self.codes: Codes = np.add.outer(first, channels).reshape(-1)

    def decode(self, number: int) -> Position:
        """The place, or the difference of two places, that `number` stands for."""
        _, width, channels = self._shape
        rest, channel = divmod(number + channels, self._channels)
        row, column = divmod(rest + width, self._columns)
        return row, column - width, channel - channels


_Sequences = tuple[list[Progression], list[Progression], list[Progression]]  # rows, columns, channels: all combinations


def _parts(codes: Codes, mask: Mask) -> Iterator[_Sequences]:
    """The places in `mask`, in parts in which what is read is a number for the row plus one for the column plus one for the channel."""
    for rows, bases, row_mask, row_codes in _alike(codes, mask):
        down = progressions(rows, bases)
        for columns, offsets, channel_mask, channel_codes in _alike(row_codes, row_mask):
            across = progressions(columns, offsets)
            channels = np.flatnonzero(channel_mask)
            yield down, across, progressions(channels, channel_codes[channels])


def _alike(codes: Codes, mask: Mask) -> Iterator[tuple[Codes, Codes, Mask, Codes]]:
    """The slices of `codes` along the first axis, grouped into those that differ by a constant alone in their places in `mask`.

    Of each group: the numbers of its slices, the constants, and the mask and what is left of the codes of every slice.
    """
    groups: dict[bytes, tuple[list[int], list[int]]] = {}
    for number in np.flatnonzero(mask.any(axis=tuple(range(1, mask.ndim)))):
        base = codes[number][mask[number]][0]
        pattern = np.where(mask[number], codes[number] - base, np.iinfo(np.int64).min)
        numbers, bases = groups.setdefault(pattern.tobytes(), ([], []))
        numbers.append(int(number))
        bases.append(int(base))
    for numbers, bases in groups.values():
        first = mask[numbers[0]]
        yield np.array(numbers), np.array(bases), first, np.where(first, codes[numbers[0]] - bases[0], 0)


def _move(places: _Places, operand: int | None, rows: Progression, columns: Progression, channels: Progression) -> Move:
    """One move over three progressions. The innermost channels are its run if they follow each other on both sides."""
    run, rest = 1, channels.steps
    if rest and rest[0].place == 1 and (rest[0].value == 1 or operand is None):
        run, rest = rest[0].count, rest[1:]
    loops = [Loop(step.count, places.decode(step.value), (step.place, 0, 0)) for step in rows.steps]
    loops += [Loop(step.count, places.decode(step.value), (0, step.place, 0)) for step in columns.steps]
    loops += [Loop(step.count, places.decode(step.value), (0, 0, step.place)) for step in rest]
    start = places.decode(rows.value + columns.value + channels.value)
    return Move(operand, start, (rows.place, columns.place, channels.place), run, tuple(loops))
