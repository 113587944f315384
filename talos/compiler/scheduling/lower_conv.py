"""Conv (and everything that is one: fully connected, copies) → MATMUL and VECTOR instructions, tile by tile."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

from talos.compiler.graph.ir import Conv, Tensor, is_broadcast
from talos.compiler.scheduling.builder import Builder, OutOfMemory
from talos.compiler.scheduling.groups import LATE, Band, Lowering
from talos.compiler.scheduling.segments import (
    Contraction,
    Segment,
    contraction,
    extent,
    segment_parameters,
    segment_weights,
    segments,
)
from talos.compiler.scheduling.storage import Storage
from talos.compiler.scheduling.tiling import ConvShape, Tile, choose_tile
from talos.compiler.scheduling.transfers import Box, Place, broadcast_tile, input_tile, output_tile
from talos.compiler.scheduling.vector_fields import pair_fields, requantization, set_tables
from talos.effects import RECORD_BYTES
from talos.isa import INSTRUCTIONS, Opcode, Source

__all__ = ["conv_shape", "lower_conv"]

MAX_SLICES = next(field.high for field in INSTRUCTIONS[Opcode.MATMUL].body if field.name == "slices")


def conv_shape(layer: Conv, b: Builder, source: Storage, target: Storage, residual: Storage | None, behind: int = 0) -> ConvShape:
    """The layer as the tile choice sees it, given which of its tensors are resident and the vector unit's cycles for what follows."""
    _, width, channels = layer.inputs[0].shape
    extent_h, extent_w = extent(layer, b.config)
    out_h, out_w, out_channels = layer.output.shape
    parts = segments(layer, b.config)
    pixel = source.depth(layer.inputs[0]) if source.resident else channels
    loops = [contraction(layer, part, b.config, width * pixel, pixel) for part in parts]
    broadcast = layer.residual is not None and is_broadcast(layer.residual.tensor, layer.output)
    return ConvShape(
        out_h=out_h,
        out_w=out_w,
        stride_h=layer.strides[0],
        stride_w=layer.strides[1],
        extent_h=extent_h,
        extent_w=extent_w,
        load_channels=0 if source.resident else channels,
        store_channels=0 if target.resident else out_channels,
        residual_channels=out_channels if residual is not None and not residual.resident and not broadcast else 0,
        blocks=sum(part.blocks for part in parts),
        tiles=max(loop.tiles for loop in loops),
        warmup=max(loop.warmup for loop in loops),
        passes=1 if residual is None else 2,
        behind=behind,
        late=0 if target.resident else LATE,
    )


def lower_conv(b: Builder, layer: Conv, storages: Callable[[Tensor], Storage], budget: int, behind: int = 0) -> Lowering:
    """Emit `layer`. `budget` is the activation memory that its tiles may take, `behind` the vector unit's cycles for the layers of its slot.

    Raises OutOfMemory if no tile fits.
    """
    source, target = storages(layer.inputs[0]), storages(layer.output)
    residual = storages(layer.residual.tensor) if layer.residual else None
    tile = choose_tile(
        conv_shape(layer, b, source, target, residual, behind), b.config, budget - _broadcast_bytes(layer, b, residual)
    )
    if tile is None:
        raise OutOfMemory(budget)
    extent_h, extent_w = extent(layer, b.config)
    height = layer.inputs[0].shape[0]
    for box in _boxes(layer.output.shape[0], layer.output.shape[1], tile):
        top = box.top * layer.strides[0] - layer.pads[0]
        left = box.left * layer.strides[1] - layer.pads[1]
        bottom = top + (box.rows - 1) * layer.strides[0] + extent_h
        right = left + (box.columns - 1) * layer.strides[1] + extent_w
        needs = max(min(bottom, height), box.bottom if layer.residual else 0)
        yield Band(needs, box.bottom if box.right == layer.output.shape[1] else box.top)
        set_tables(b, layer)
        avoid = target.spans + (residual.spans if residual else ())
        with input_tile(b, source, layer.inputs[0], Box(top, bottom, left, right), avoid=avoid) as act:
            for segment, chunk in _chunks(layer, b, tile):
                _lower_chunk(b, layer, storages, act, box, tile, segment, chunk)


def _broadcast_bytes(layer: Conv, b: Builder, residual: Storage | None) -> int:
    """Of a residual that is loaded and broadcast over the pixels: its tile does not grow with the others."""
    if layer.residual is None or residual is None or residual.resident:
        return 0
    broadcast = is_broadcast(layer.residual.tensor, layer.output)
    return layer.residual.tensor.size + b.config.matrix_bytes if broadcast else 0


def _boxes(height: int, width: int, tile: Tile) -> Iterator[Box]:
    for top in range(0, height, tile.rows):
        for left in range(0, width, tile.columns):
            yield Box(top, min(top + tile.rows, height), left, min(left + tile.columns, width))


def _chunks(layer: Conv, b: Builder, tile: Tile) -> Iterator[tuple[Segment, range]]:
    """Segments cut into runs of at most `tile.blocks` blocks."""
    for segment in segments(layer, b.config):
        for first in range(0, segment.blocks, tile.blocks):
            yield segment, range(first, min(first + tile.blocks, segment.blocks))


def _lower_chunk(
    b: Builder,
    layer: Conv,
    storages: Callable[[Tensor], Storage],
    act: Place,
    box: Box,
    tile: Tile,
    segment: Segment,
    chunk: range,
) -> None:
    """One output buffer: `chunk` of the blocks of `segment` over the pixels of `box`."""
    cols = b.config.cols
    first = segment.first + chunk.start * cols
    channels = range(first, min(first + len(chunk) * cols, segment.first + segment.count))
    loops = contraction(layer, segment, b.config, act.pitch, act.pixel)
    with ExitStack() as stack:
        other = None
        avoid: tuple[tuple[int, int], ...] = (act.span,)
        if layer.residual is not None:
            tensor = layer.residual.tensor
            if is_broadcast(tensor, layer.output):
                other = stack.enter_context(broadcast_tile(b, storages(tensor), tensor, channels, avoid))
            else:
                other = stack.enter_context(input_tile(b, storages(tensor), tensor, box, channels, avoid))
            avoid = (*avoid, other.span)
        out = stack.enter_context(output_tile(b, storages(layer.output), layer.output, box, channels, avoid))
        for start in range(chunk.start, chunk.stop, tile.group):
            blocks = range(start, min(start + tile.group, chunk.stop))
            acc = b.next_half()
            _matmul(b, layer, act, box, segment, loops, blocks, acc)
            offset = (start - chunk.start) * cols
            _drain(b, layer, out, other, box, segment, blocks, acc, offset, min(len(channels) - offset, len(blocks) * cols))


def _matmul(b: Builder, layer: Conv, act: Place, box: Box, segment: Segment, loops: Contraction, blocks: range, acc: int) -> None:
    """Stream the weights of `blocks` and multiply; a contraction longer than an instruction's slice counter takes several."""
    config = b.config
    tile_bytes = config.rows * config.cols
    weights = b.constant(
        ("weights", id(layer.original or layer), segment.first, loops),
        lambda: segment_weights(layer, segment, loops, config).tobytes(),
    )
    runs = [range(start, min(start + MAX_SLICES, loops.slices)) for start in range(0, loops.slices, MAX_SLICES)]
    for group in [blocks] if len(runs) == 1 else [range(block, block + 1) for block in blocks]:
        for run in runs:
            tiles = loops.taps_h * loops.taps_w * len(run)
            b.stream(weights + (group.start * loops.tiles + run.start) * tile_bytes, len(group) * tiles * tile_bytes)
            b.emit(
                Opcode.MATMUL,
                act=act.address + segment.source + group.start * segment.stride + run.start * config.rows,
                blocks=len(group),
                block_stride=segment.stride,
                taps_h=loops.taps_h,
                tap_h_stride=loops.tap_h_stride,
                taps_w=loops.taps_w,
                tap_w_stride=loops.tap_w_stride,
                slices=len(run),
                slice_stride=config.rows,
                out_h=box.rows,
                row_stride=layer.strides[0] * act.pitch,
                out_w=box.columns + loops.warmup,
                pixel_stride=layer.strides[1] * act.pixel,
                depthwise=int(segment.depthwise),
                warmup=loops.warmup,
                acc=acc + (group.start - blocks.start) * box.rows * box.columns,
                accumulate=int(run.start > 0),
            )


def _drain(
    b: Builder,
    layer: Conv,
    out: Place,
    other: Place | None,
    box: Box,
    segment: Segment,
    blocks: range,
    acc: int,
    offset: int,
    channels: int,
) -> None:
    """Requantize `blocks` from the accumulators into the output tile, combining them with the residual on the way."""
    cols = b.config.cols
    fields = requantization(layer)
    if layer.residual is not None:
        assert other is not None
        fields |= pair_fields(layer)
        fields |= {"b": other.address + offset, "b_row_stride": other.pitch, "b_pixel_stride": other.pixel}
    b.emit(
        Opcode.VECTOR,
        source=Source.ACCUMULATOR,
        lookup=int(layer.table is not None),
        blocks=len(blocks),
        tail=channels - (len(blocks) - 1) * cols,
        out_h=box.rows,
        out_w=box.columns,
        acc=acc,
        param=_records(b, layer, segment, blocks),
        dst=out.address + offset,
        dst_row_stride=out.pitch,
        dst_pixel_stride=out.pixel,
        **fields,
    )


def _records(b: Builder, layer: Conv, segment: Segment, blocks: range) -> int:
    """Where parameter memory holds the records of `blocks`: with all of their segment if that is small."""
    records = b.remember((id(layer.original or layer), segment.first), lambda: segment_parameters(layer, segment, b.config))
    block_bytes = b.config.cols * RECORD_BYTES
    if len(records) <= b.config.parameter_bytes // 4:
        return b.parameters((id(layer.original or layer), segment.first), records) + blocks.start * b.config.cols
    return b.parameters(
        (id(layer.original or layer), segment.first, blocks), records[blocks.start * block_bytes : blocks.stop * block_bytes]
    )
