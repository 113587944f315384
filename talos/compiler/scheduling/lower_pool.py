"""Pooling → VECTOR instructions over bands of rows."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import product

import numpy as np

from talos.compiler.graph.ir import Pool, Tensor
from talos.compiler.scheduling.builder import Builder
from talos.compiler.scheduling.groups import Band, Lowering
from talos.compiler.scheduling.pieces import MAX_COUNT, bands, block_fields, channel_parts
from talos.compiler.scheduling.storage import Storage
from talos.compiler.scheduling.transfers import Box, Place, input_tile, output_tile
from talos.effects import RECORD_BYTES
from talos.isa import Opcode, Source
from talos.numerics import average_parameters, average_window_parameters, split_multiplier, sum_parameters
from talos.parameters import pack_parameters

__all__ = ["lower_pool"]


@dataclass(frozen=True)
class _Run:
    """Output positions [first, last) of one axis whose windows, cut at the image's edge, have the same `size` (in taps) and follow by
    the stride; `start` is the first window's first tap."""

    first: int
    last: int
    start: int
    size: int


def _runs(outputs: range, layer: Pool, axis: int) -> list[_Run]:
    """Cut the output positions of one axis where the window meets the edge, so that padding is never read."""
    stride, dilation, length = layer.strides[axis], layer.dilations[axis], layer.inputs[0].shape[axis]
    runs: list[_Run] = []
    for position in outputs:
        origin = position * stride - layer.pads[axis]
        skipped = max(0, -(origin // dilation))  # taps in front of the image
        start = origin + skipped * dilation
        size = min(layer.kernel[axis], skipped + -(-(length - start) // dilation)) - skipped
        last = runs[-1] if runs else None
        fits = last and position - last.first < MAX_COUNT
        if last and fits and last.size == size and last.start + (position - last.first) * stride == start:
            runs[-1] = _Run(last.first, position + 1, last.start, size)
        else:
            runs.append(_Run(position, position + 1, start, size))
    return runs


def lower_pool(b: Builder, layer: Pool, storages: Callable[[Tensor], Storage], budget: int) -> Lowering:
    """Emit a pooling: windows cut at the image's edge are instructions of their own, so that no padding is needed."""
    _, width, channels = layer.inputs[0].shape
    out_h, out_w, _ = layer.output.shape
    source, target = storages(layer.inputs[0]), storages(layer.output)
    columns = _runs(range(out_w), layer, 1)
    reach = (layer.kernel[0] - 1) * layer.dilations[0] + 1
    room = budget - 4 * b.config.line_bytes
    # Bytes per channel: of the input rows that a further output row needs and of that row; of the rows that its window shares with others.
    in_row = 0 if source.resident else width
    row = layer.strides[0] * in_row + (0 if target.resident else out_w)
    halo = 2 * max(0, reach - layer.strides[0]) * in_row
    parts = channel_parts(channels, b.config.cols, lambda count: (row + halo) * count <= room)
    count = len(parts[0])
    for top, bottom in bands(out_h, row * count, out_w * layer.kernel[0] * layer.kernel[1], room - halo * count):
        rows = _runs(range(top, bottom), layer, 0)
        first = min(run.start for run in rows)
        dilation = layer.dilations[0]
        end = max(run.start + (run.last - run.first - 1) * layer.strides[0] + (run.size - 1) * dilation + 1 for run in rows)
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
        a_win_h_stride=layer.dilations[0] * act.pitch,
        a_win_w_stride=layer.dilations[1] * act.pixel,
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
    if layer.kind == "sum":
        bias, multiplier = sum_parameters(source.scale, source.zero_point, target.scale, taps, layer.divisor)
        zero_point = target.zero_point
    elif layer.kernel == source.shape[:2] and not any(layer.pads):
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
