"""Data movement → VECTOR instructions that copy strided bytes (a window maximum of one byte) and FILLs, band by band, piece by piece."""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from talos.compiler.graph.ir import Move, Position, Rearrange, Tensor
from talos.compiler.graph.moves import Extent, clipped, source_extent
from talos.compiler.scheduling.builder import Builder, OutOfMemory
from talos.compiler.scheduling.copy_loops import CopyLoop, copy_instructions, fill_instructions
from talos.compiler.scheduling.groups import Band, Lowering
from talos.compiler.scheduling.pieces import BAND_READS
from talos.compiler.scheduling.storage import Storage
from talos.compiler.scheduling.transfers import Box, Place, input_tile, output_tile
from talos.compiler.scheduling.vector_fields import set_tables
from talos.config import AcceleratorConfig
from talos.isa import Opcode, Source

__all__ = ["lower_rearrange", "rearrange_cycles"]


@dataclass(frozen=True)
class _Piece:
    """A box of the output, the moves that write it, and the boxes of the inputs (by number) that they read."""

    target: Extent
    moves: tuple[Move, ...]
    sources: dict[int, Extent]


def lower_rearrange(b: Builder, layer: Rearrange, storages: Callable[[Tensor], Storage], budget: int) -> Lowering:
    """Emit `layer` by bands of output rows, and those in pieces whose tiles fit `budget`. Raises OutOfMemory if a single byte does not."""
    _, width, channels = layer.output.shape
    room = budget - 2 * (len(layer.inputs) + 1) * b.config.line_bytes
    for top, bottom in _bands(layer):
        piece = _piece(layer, ((top, bottom), (0, width), (0, channels)), layer.moves)
        yield Band(_rows_needed(piece), bottom)
        set_tables(b, layer)
        for part in _fitting(b, layer, storages, piece, room):
            _emit(b, layer, storages, part)


def rearrange_cycles(layer: Rearrange, config: AcceleratorConfig) -> int:
    """Cycles of the vector unit for `layer`; 0 if it needs all rows of its inputs before it can begin."""
    if len(list(_bands(layer))) == 1:
        return 0
    blocks = sum(_runs(move) * -(-move.channels // config.cols) for move in layer.moves if move.operand is not None)
    return blocks * (config.cols // config.lanes)


def _runs(move: Move) -> int:
    return math.prod(loop.count for loop in move.loops)


def _bands(layer: Rearrange) -> Iterator[tuple[int, int]]:
    """Rows [top, bottom) of the output: several bands only where the first ones need fewer rows of the inputs than all."""
    height, width, channels = layer.output.shape
    runs = sum(_runs(move) for move in layer.moves)
    rows = max(1, BAND_READS * len(layer.moves) * height // runs)
    whole = ((0, width), (0, channels))
    needs = [_rows_needed(_piece(layer, ((0, bottom), *whole), layer.moves)) for bottom in (min(rows, height), height)]
    if needs[0] == needs[1]:
        rows = height
    for top in range(0, height, rows):
        yield top, min(top + rows, height)


def _rows_needed(piece: _Piece) -> int:
    return max((extent[0][1] for extent in piece.sources.values()), default=0)


def _piece(layer: Rearrange, target: Extent, moves: Sequence[Move]) -> _Piece:
    """The part of `moves` that writes `target`."""
    for axis, (low, high) in enumerate(target):
        moves = [part for move in moves for part in clipped(move, axis, low, high)]
    sources: dict[int, Extent] = {}
    for move in moves:
        if move.operand is not None:
            extent = source_extent(move)
            known = sources.get(move.operand, extent)
            rows, columns, channels = ((min(a[0], b[0]), max(a[1], b[1])) for a, b in zip(extent, known, strict=True))
            depth = layer.inputs[move.operand].shape[2]
            if 2 * (channels[1] - channels[0]) >= depth:
                channels = (0, depth)  # whole pixels, which follow each other in DRAM
            sources[move.operand] = rows, columns, channels
    return _Piece(target, tuple(moves), sources)


def _volume(extent: Extent) -> int:
    return math.prod(high - low for low, high in extent)


def _fitting(b: Builder, layer: Rearrange, storages: Callable[[Tensor], Storage], piece: _Piece, room: int) -> Iterator[_Piece]:
    """`piece` in parts whose buffers fit `room` twice if possible, halved along the axis that needs the fewest bytes then."""

    def size(part: _Piece) -> int:
        loaded = sum(_volume(box) for operand, box in part.sources.items() if not storages(layer.inputs[operand]).resident)
        return loaded + (0 if storages(layer.output).resident else _volume(part.target))

    if 2 * size(piece) <= room:
        yield piece
        return
    cuts = []
    for axis, (low, high) in enumerate(piece.target):
        unit = b.config.cols if axis == 2 and high - low > b.config.cols else 1
        if high - low > 1:
            middle = low + -(-(high - low) // (2 * unit)) * unit
            boxes = [(*piece.target[:axis], span, *piece.target[axis + 1 :]) for span in ((low, middle), (middle, high))]
            halves = [_piece(layer, (box[0], box[1], box[2]), piece.moves) for box in boxes]
            cuts.append((sum(size(half) for half in halves), axis, halves))
    if not cuts:
        if size(piece) > room:
            raise OutOfMemory(size(piece))
        yield piece
        return
    for half in min(cuts, key=lambda cut: cut[:2])[2]:
        yield from _fitting(b, layer, storages, half, room)


def _emit(b: Builder, layer: Rearrange, storages: Callable[[Tensor], Storage], piece: _Piece) -> None:
    """The tiles of `piece`, and its instructions."""
    target = storages(layer.output)
    with ExitStack() as stack:
        places: dict[int, Place] = {}
        for operand, (rows, columns, channels) in piece.sources.items():
            tensor = layer.inputs[operand]
            avoid = (*target.spans, *(place.span for place in places.values()))
            box = Box(*rows, *columns)
            places[operand] = stack.enter_context(input_tile(b, storages(tensor), tensor, box, range(*channels), avoid))
        rows, columns, channels = piece.target
        avoid = tuple(place.span for place in places.values())
        out = stack.enter_context(output_tile(b, target, layer.output, Box(*rows, *columns), range(*channels), avoid))
        for move in piece.moves:
            if move.operand is None:
                _emit_fill(b, layer, move, _Tile(out, piece.target))
            else:
                source = _Tile(places[move.operand], piece.sources[move.operand])
                _emit_copy(b, layer, move, source, _Tile(out, piece.target))


@dataclass(frozen=True)
class _Tile:
    """A box of a tensor in activation memory."""

    place: Place
    extent: Extent

    def bytes(self, distance: Position) -> int:
        """Bytes from one place to another at `distance`."""
        return distance[0] * self.place.pitch + distance[1] * self.place.pixel + distance[2]

    def address(self, position: Position) -> int:
        """Where the byte at `position` of the tensor is."""
        (top, _), (left, _), (first, _) = self.extent
        return self.place.address + self.bytes((position[0] - top, position[1] - left, position[2] - first))


def _emit_fill(b: Builder, layer: Rearrange, move: Move, out: _Tile) -> None:
    value = min(max(move.value, layer.low), layer.high)
    if layer.table is not None:
        value = int(layer.table[value + 128])
    loops = [(loop.count, out.bytes(loop.target)) for loop in move.loops]
    for fields in fill_instructions(out.address(move.target), move.channels, loops):
        b.emit(Opcode.FILL, value=value, **fields)


def _emit_copy(b: Builder, layer: Rearrange, move: Move, act: _Tile, out: _Tile) -> None:
    loops = [CopyLoop(loop.count, act.bytes(loop.source), out.bytes(loop.target)) for loop in move.loops]
    common = {"source": Source.MAXIMUM, "low": layer.low, "high": layer.high, "lookup": int(layer.table is not None)}
    for fields in copy_instructions(act.address(move.source), out.address(move.target), move.channels, loops, b.config.cols):
        b.emit(Opcode.VECTOR, **common, **fields)
