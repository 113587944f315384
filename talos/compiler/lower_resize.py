"""Nearest-neighbour enlargement, and plain copies → VECTOR instructions that write every pixel several times."""

from collections.abc import Callable
from contextlib import ExitStack
from itertools import product

from talos.compiler.builder import Builder
from talos.compiler.groups import Band, Lowering
from talos.compiler.ir import Resize, Tensor
from talos.compiler.pieces import bands, block_fields, channel_parts, column_step
from talos.compiler.storage import Storage
from talos.compiler.transfers import Box, input_tile, output_tile
from talos.isa import Opcode, Source

__all__ = ["lower_resize"]


def lower_resize(b: Builder, layer: Resize, storages: Callable[[Tensor], Storage], budget: int) -> Lowering:
    """Emit `layer` by bands of input rows: one instruction for each of the places that a pixel is copied to."""
    height, width, channels = layer.inputs[0].shape
    vertical, horizontal = layer.factors
    source, target = storages(layer.inputs[0]), storages(layer.output)
    cols, room = b.config.cols, budget - 4 * b.config.line_bytes
    moved = (not source.resident) + (not target.resident) * vertical * horizontal  # copies of an input pixel that are in buffers
    parts = channel_parts(channels, cols, lambda count: moved * count <= room)
    pixel_bytes = moved * len(parts[0])
    columns = column_step(width, pixel_bytes, room)
    for top, bottom in bands(height, columns * pixel_bytes, columns, room):
        yield Band(bottom, bottom * vertical)
        for left, part in product(range(0, width, columns), parts):
            right = min(left + columns, width)
            box = Box(top, bottom, left, right)
            copies = Box(top * vertical, bottom * vertical, left * horizontal, right * horizontal)
            with ExitStack() as stack:
                act = stack.enter_context(input_tile(b, source, layer.inputs[0], box, part, target.spans))
                out = stack.enter_context(output_tile(b, target, layer.output, copies, part, (act.span,)))
                for row, column in product(range(vertical), range(horizontal)):
                    b.emit(
                        Opcode.VECTOR,
                        source=Source.MAXIMUM,
                        low=-128,
                        high=127,
                        out_h=box.rows,
                        out_w=box.columns,
                        a=act.address,
                        a_row_stride=act.pitch,
                        a_pixel_stride=act.pixel,
                        dst=out.address + row * out.pitch + column * out.pixel,
                        dst_row_stride=vertical * out.pitch,
                        dst_pixel_stride=horizontal * out.pixel,
                        **block_fields(len(part), cols),
                    )
