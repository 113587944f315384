"""Nearest-neighbour enlargement, and plain copies → VECTOR instructions that write every pixel several times."""

from collections.abc import Callable
from contextlib import ExitStack
from itertools import product

from talos.compiler.builder import Builder, OutOfMemory
from talos.compiler.groups import Band, Lowering
from talos.compiler.ir import Resize, Tensor
from talos.compiler.lower_vector import BAND_READS, MAX_COUNT
from talos.compiler.storage import Storage
from talos.compiler.transfers import Box, input_tile, output_tile
from talos.isa import Opcode, Source

__all__ = ["lower_resize"]


def lower_resize(b: Builder, layer: Resize, storages: Callable[[Tensor], Storage], budget: int) -> Lowering:
    """Emit `layer` by bands of input rows: one instruction for each of the places that a pixel is copied to."""
    height, width, channels = layer.inputs[0].shape
    vertical, horizontal = layer.factors
    source, target = storages(layer.inputs[0]), storages(layer.output)
    in_row = 0 if source.resident else width * channels
    out_row = 0 if target.resident else vertical * horizontal * width * channels
    row_bytes, room = in_row + out_row, budget - 4 * b.config.line_bytes
    if row_bytes > room:
        raise OutOfMemory(row_bytes)
    most = room // (2 * row_bytes) if row_bytes else height
    step = max(1, min(most, BAND_READS // width, MAX_COUNT))
    cols = b.config.cols
    for top in range(0, height, step):
        bottom = min(top + step, height)
        yield Band(bottom, bottom * vertical)
        with ExitStack() as stack:
            act = stack.enter_context(input_tile(b, source, layer.inputs[0], Box(top, bottom, 0, width), avoid=target.spans))
            box = Box(top * vertical, bottom * vertical, 0, width * horizontal)
            out = stack.enter_context(output_tile(b, target, layer.output, box, range(channels), (act.span,)))
            pieces = product(range(0, channels, MAX_COUNT * cols), range(0, width, MAX_COUNT), range(vertical), range(horizontal))
            for channel, column, down, right in pieces:
                count = min(MAX_COUNT * cols, channels - channel)
                blocks = -(-count // cols)
                b.emit(
                    Opcode.VECTOR,
                    source=Source.MAXIMUM,
                    low=-128,
                    high=127,
                    blocks=blocks,
                    tail=count - (blocks - 1) * cols,
                    out_h=bottom - top,
                    out_w=min(MAX_COUNT, width - column),
                    a=act.address + column * act.pixel + channel,
                    a_row_stride=act.pitch,
                    a_pixel_stride=act.pixel,
                    dst=out.address + down * out.pitch + (column * horizontal + right) * out.pixel + channel,
                    dst_row_stride=vertical * out.pitch,
                    dst_pixel_stride=horizontal * out.pixel,
                )
