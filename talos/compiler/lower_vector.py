"""Layers of the vector unit alone → VECTOR instructions over bands of rows: pooling, addition, tables."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import product

import numpy as np

from talos.compiler.builder import Builder
from talos.compiler.groups import Band, Lowering
from talos.compiler.ir import Add, Conv, Layer, Lookup, Pool, Tensor
from talos.compiler.pieces import MAX_COUNT, bands, block_fields, channel_parts, column_step
from talos.compiler.storage import Storage
from talos.compiler.transfers import Box, Place, input_tile, output_tile
from talos.compiler.vector_fields import addition, set_tables
from talos.config import AcceleratorConfig
from talos.effects import RECORD_BYTES
from talos.isa import Opcode, Source
from talos.numerics import average_parameters, average_window_parameters, split_multiplier
from talos.parameters import pack_parameters

__all__ = ["band_cycles", "lower_elementwise", "lower_pool"]


def band_cycles(layer: Layer, config: AcceleratorConfig) -> int:
    """Cycles of the vector unit for a layer that can follow another one band by band; 0 for any other."""
    if layer.placed or isinstance(layer, Conv):
        return 0
    height, width, channels = layer.output.shape
    window = layer.kernel if isinstance(layer, Pool) else (1, 1)
    if window[0] >= layer.inputs[0].shape[0]:
        return 0  # it needs all rows
    return height * width * window[0] * window[1] * -(-channels // config.cols) * (config.cols // config.lanes)


def lower_elementwise(b: Builder, layer: Add | Lookup, storages: Callable[[Tensor], Storage], budget: int) -> Lowering:
    """Emit an addition or a table: one read of each operand per pixel."""
    height, width, channels = layer.output.shape
    places = [storages(tensor) for tensor in (*layer.inputs, layer.output)]
    moved = sum(not storage.resident for storage in places)
    room = budget - len(places) * 2 * b.config.line_bytes
    parts = channel_parts(channels, b.config.cols, lambda count: moved * count <= room)
    pixel_bytes = moved * len(parts[0])
    columns = column_step(width, pixel_bytes, room)
    fields = addition(layer) if isinstance(layer, Add) else {}
    fields["lookup"] = int(layer.table is not None)
    for top, bottom in bands(height, columns * pixel_bytes, columns, room):
        yield Band(bottom, bottom)
        set_tables(b, layer)
        for left, part in product(range(0, width, columns), parts):
            _elementwise_piece(b, layer, storages, Box(top, bottom, left, min(left + columns, width)), part, fields)


def _elementwise_piece(
    b: Builder, layer: Add | Lookup, storages: Callable[[Tensor], Storage], box: Box, channels: range, fields: dict[str, int]
) -> None:
    """Emit `channels` of the pixels of `box`."""
    with ExitStack() as stack:
        operands: list[Place] = []
        for tensor in layer.inputs:
            avoid = tuple(place.span for place in operands)
            operands.append(stack.enter_context(input_tile(b, storages(tensor), tensor, box, channels, avoid)))
        avoid = tuple(place.span for place in operands)
        out = stack.enter_context(output_tile(b, storages(layer.output), layer.output, box, channels, avoid))
        a, other = operands[0], operands[-1]
        b.emit(
            Opcode.VECTOR,
            source=Source.MAXIMUM,
            low=-128,
            high=127,
            out_h=box.rows,
            out_w=box.columns,
            a=a.address,
            a_row_stride=a.pitch,
            a_pixel_stride=a.pixel,
            b=other.address if isinstance(layer, Add) else 0,
            b_row_stride=other.pitch if isinstance(layer, Add) else 0,
            b_pixel_stride=other.pixel if isinstance(layer, Add) else 0,
            dst=out.address,
            dst_row_stride=out.pitch,
            dst_pixel_stride=out.pixel,
            **block_fields(len(channels), b.config.cols),
            **fields,
        )


@dataclass(frozen=True)
class _Run:
    """Output positions [first, last) of one axis whose windows, cut at the image's edge, have the same `size` and follow by the stride."""

    first: int
    last: int
    start: int
    size: int


def _runs(outputs: range, window: int, stride: int, pad: int, length: int) -> list[_Run]:
    """Cut the output positions of one axis where the window meets the edge, so that padding is never read."""
    runs: list[_Run] = []
    for position in outputs:
        start = max(position * stride - pad, 0)
        size = min(position * stride - pad + window, length) - start
        last = runs[-1] if runs else None
        fits = last and position - last.first < MAX_COUNT
        if last and fits and last.size == size and last.start + (position - last.first) * stride == start:
            runs[-1] = _Run(last.first, position + 1, last.start, size)
        else:
            runs.append(_Run(position, position + 1, start, size))
    return runs


def lower_pool(b: Builder, layer: Pool, storages: Callable[[Tensor], Storage], budget: int) -> Lowering:
    """Emit a pooling: windows cut at the image's edge are instructions of their own, so that no padding is needed."""
    height, width, channels = layer.inputs[0].shape
    out_h, out_w, _ = layer.output.shape
    source, target = storages(layer.inputs[0]), storages(layer.output)
    columns = _runs(range(out_w), layer.kernel[1], layer.strides[1], layer.pads[1], width)
    room = budget - 4 * b.config.line_bytes
    # Bytes per channel: of the input rows that a further output row needs and of that row; of the rows that its window shares with others.
    in_row = 0 if source.resident else width
    row = layer.strides[0] * in_row + (0 if target.resident else out_w)
    halo = 2 * max(0, layer.kernel[0] - layer.strides[0]) * in_row
    parts = channel_parts(channels, b.config.cols, lambda count: (row + halo) * count <= room)
    count = len(parts[0])
    for top, bottom in bands(out_h, row * count, out_w * layer.kernel[0] * layer.kernel[1], room - halo * count):
        rows = _runs(range(top, bottom), layer.kernel[0], layer.strides[0], layer.pads[0], height)
        first = min(run.start for run in rows)
        end = max(run.start + (run.last - run.first - 1) * layer.strides[0] + run.size for run in rows)
        yield Band(end, bottom)
        for part in parts:
            with ExitStack() as stack:
                box, out_box = Box(first, end, 0, width), Box(top, bottom, 0, out_w)
                act = stack.enter_context(input_tile(b, source, layer.inputs[0], box, part, target.spans))
                out = stack.enter_context(output_tile(b, target, layer.output, out_box, part, (act.span,)))
                for row_run, column_run, blocks in product(rows, columns, _block_runs(b, layer, len(part))):
                    _pool_piece(b, layer, act, out, (row_run, first, top), column_run, blocks, len(part))


def _pool_piece(
    b: Builder, layer: Pool, act: Place, out: Place, rows: tuple[_Run, int, int], column: _Run, blocks: range, channels: int
) -> None:
    """Emit the windows of a run of `rows` (with the first input and output row of the tiles) and of columns, for `blocks` of `channels`."""
    row, first, top = rows
    first_channel = blocks.start * b.config.cols
    b.emit(
        Opcode.VECTOR,
        out_h=row.last - row.first,
        out_w=column.last - column.first,
        win_h=row.size,
        win_w=column.size,
        a=act.address + (row.start - first) * act.pitch + column.start * act.pixel + first_channel,
        a_row_stride=layer.strides[0] * act.pitch,
        a_pixel_stride=layer.strides[1] * act.pixel,
        a_win_h_stride=act.pitch,
        a_win_w_stride=act.pixel,
        dst=out.address + (row.first - top) * out.pitch + column.first * out.pixel + first_channel,
        dst_row_stride=out.pitch,
        dst_pixel_stride=out.pixel,
        **block_fields(min(len(blocks) * b.config.cols, channels - first_channel), b.config.cols),
        **_pool_fields(b, layer, row.size * column.size, len(blocks)),
    )


def _block_runs(b: Builder, layer: Pool, channels: int) -> list[range]:
    """Channel blocks per instruction: all, or as many as parameter memory holds records for."""
    blocks = -(-channels // b.config.cols)
    step = blocks if layer.kind == "max" else max(1, b.config.parameter_bytes // (4 * RECORD_BYTES * b.config.cols))
    return [range(start, min(start + step, blocks)) for start in range(0, blocks, step)]


def _pool_fields(b: Builder, layer: Pool, taps: int, blocks: int) -> dict[str, int]:
    """The arithmetic of one window of `taps` values inside the image, for `blocks` channel blocks."""
    if layer.kind == "max":
        return {"source": Source.MAXIMUM, "low": layer.low, "high": layer.high}
    source, target = layer.inputs[0], layer.output
    count = layer.kernel[0] * layer.kernel[1] if layer.count_include_pad else taps
    if layer.kernel == source.shape[:2] and taps == count:
        bias, multiplier = average_parameters(source.scale, source.zero_point, target.scale, count)
        zero_point = target.zero_point
    else:
        bias, multiplier, zero_point = average_window_parameters(
            source.scale, source.zero_point, target.scale, target.zero_point, count
        )
    bias += source.zero_point * (count - taps)  # padding that counts is never summed, so its zero points are not taken off either
    mantissa, shift = split_multiplier(multiplier)
    width = blocks * b.config.cols
    records = pack_parameters(np.full(width, bias), np.full(width, int(mantissa)), np.full(width, int(shift)))
    return {
        "source": Source.SUM,
        "requantize": 1,
        "param": b.parameters((id(layer), taps, blocks), records),
        "zero_point": zero_point,
        "low": layer.low,
        "high": layer.high,
    }
