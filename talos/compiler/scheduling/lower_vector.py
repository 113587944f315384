"""Element-wise layers of the vector unit → VECTOR instructions over bands of rows: operations of two tensors, tables."""

from collections.abc import Callable
from contextlib import ExitStack
from itertools import product

from talos.compiler.graph.ir import Binary, Conv, Layer, Lookup, Pool, Rearrange, Tensor, is_broadcast
from talos.compiler.scheduling.builder import Builder
from talos.compiler.scheduling.groups import Band, Lowering
from talos.compiler.scheduling.lower_rearrange import rearrange_cycles
from talos.compiler.scheduling.pieces import bands, block_fields, channel_parts, column_step
from talos.compiler.scheduling.storage import Storage
from talos.compiler.scheduling.transfers import Box, Place, broadcast_tile, input_tile, output_tile
from talos.compiler.scheduling.vector_fields import pair_fields, set_tables
from talos.config import AcceleratorConfig
from talos.isa import Opcode, Source

__all__ = ["band_cycles", "lower_elementwise"]


def band_cycles(layer: Layer, config: AcceleratorConfig) -> int:
    """Cycles of the vector unit for a layer that can follow another one band by band; 0 for any other."""
    if layer.placed or isinstance(layer, Conv):
        return 0
    if isinstance(layer, Rearrange):
        return rearrange_cycles(layer, config)
    height, width, channels = layer.output.shape
    window = layer.kernel if isinstance(layer, Pool) else (1, 1)
    if window[0] >= max(tensor.shape[0] for tensor in layer.inputs):
        return 0  # it needs all rows
    return height * width * window[0] * window[1] * -(-channels // config.cols) * (config.cols // config.lanes)


def lower_elementwise(b: Builder, layer: Binary | Lookup, storages: Callable[[Tensor], Storage], budget: int) -> Lowering:
    """Emit an operation of two tensors or a table: one read of each operand per pixel."""
    height, width, channels = layer.output.shape
    spread = [tensor for tensor in layer.inputs if is_broadcast(tensor, layer.output)]
    moved = sum(not storages(tensor).resident for tensor in (*layer.inputs, layer.output) if tensor not in spread)
    loaded = sum(not storages(tensor).resident for tensor in spread)
    room = budget - (len(layer.inputs) + 1) * 2 * b.config.line_bytes
    keep = loaded * channels <= room // 4  # broadcast operands are loaded once, or else for every piece
    room -= loaded * channels if keep else 0
    in_piece = moved + (0 if keep else loaded)
    parts = channel_parts(channels, b.config.cols, lambda count: in_piece * count <= room)
    room -= 0 if keep else loaded * len(parts[0])
    pixel_bytes = moved * len(parts[0])
    columns = column_step(width, pixel_bytes, room)
    fields = pair_fields(layer) if isinstance(layer, Binary) else {}
    fields["lookup"] = int(layer.table is not None)
    with ExitStack() as stack:
        kept: dict[Tensor, Place] = {}
        for top, bottom in bands(height, columns * pixel_bytes, columns, room):
            yield Band(bottom, bottom)
            set_tables(b, layer)
            if keep and not kept:
                kept = {tensor: stack.enter_context(broadcast_tile(b, storages(tensor), tensor)) for tensor in spread}
            for left, part in product(range(0, width, columns), parts):
                box = Box(top, bottom, left, min(left + columns, width))
                _elementwise_piece(b, layer, storages, kept, box, part, fields)


def _elementwise_piece(
    b: Builder,
    layer: Binary | Lookup,
    storages: Callable[[Tensor], Storage],
    kept: dict[Tensor, Place],
    box: Box,
    channels: range,
    fields: dict[str, int],
) -> None:
    """Emit `channels` of the pixels of `box`. `kept` are the operands that are in activation memory already."""
    with ExitStack() as stack:
        operands: list[Place] = []
        for tensor in layer.inputs:
            avoid = tuple(place.span for place in operands)
            if tensor in kept:
                operands.append(kept[tensor].behind(channels.start))
            elif is_broadcast(tensor, layer.output):
                operands.append(stack.enter_context(broadcast_tile(b, storages(tensor), tensor, channels, avoid)))
            else:
                operands.append(stack.enter_context(input_tile(b, storages(tensor), tensor, box, channels, avoid)))
        avoid = tuple(place.span for place in operands)
        out = stack.enter_context(output_tile(b, storages(layer.output), layer.output, box, channels, avoid))
        a = operands[0]
        if isinstance(layer, Binary):
            other = operands[1]
            fields = fields | {"b": other.address, "b_row_stride": other.pitch, "b_pixel_stride": other.pixel}
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
            dst=out.address,
            dst_row_stride=out.pitch,
            dst_pixel_stride=out.pixel,
            **block_fields(len(channels), b.config.cols),
            **fields,
        )
