"""Tiles of a tensor in activation memory: where it is resident, its place there; where it is in DRAM, a buffer with the transfers."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from talos.compiler.graph.ir import Tensor
from talos.compiler.scheduling.builder import Builder
from talos.compiler.scheduling.storage import Storage
from talos.isa import Opcode

__all__ = ["Box", "Place", "broadcast_tile", "input_tile", "make_resident", "output_tile", "tile_bytes"]


@dataclass(frozen=True)
class Box:
    """Rows [top, bottom) and columns [left, right) of a tensor; negative or beyond the edge in padding."""

    top: int
    bottom: int
    left: int
    right: int

    @property
    def rows(self) -> int:
        return self.bottom - self.top

    @property
    def columns(self) -> int:
        return self.right - self.left

    @property
    def empty(self) -> bool:
        return self.rows <= 0 or self.columns <= 0

    def inside(self, height: int, width: int) -> "Box":
        """The part without padding; empty where a tile lies in the padding alone."""
        return Box(max(self.top, 0), min(self.bottom, height), max(self.left, 0), min(self.right, width))


@dataclass(frozen=True)
class Place:
    """Pixels in activation memory: byte address of the first, bytes from row to row and from pixel to pixel; `span` for the allocator."""

    address: int
    pitch: int
    pixel: int
    span: tuple[int, int]

    def behind(self, count: int) -> "Place":
        """The same pixels without their first `count` channels."""
        return replace(self, address=self.address + count)


def tile_bytes(box: Box, channels: int) -> int:
    """Bytes of a buffer for `box`."""
    return box.rows * box.columns * channels


def _fill_border(b: Builder, start: int, box: Box, inner: Box, channels: int, value: int) -> None:
    """Fill the bytes of `box`, laid out at `start`, that are not in `inner` (all of them if that is empty)."""
    pitch = box.columns * channels
    if inner.empty:
        b.emit(Opcode.FILL, row_bytes=box.rows * pitch, dst=start, value=value)
        return
    head = (inner.top - box.top) * pitch + (inner.left - box.left) * channels
    row = inner.columns * channels
    end = start + box.rows * pitch
    if head:
        b.emit(Opcode.FILL, row_bytes=head, dst=start, value=value)
    if pitch > row and inner.rows > 1:
        first = start + head + row
        b.emit(Opcode.FILL, row_bytes=pitch - row, rows=inner.rows - 1, dst=first, dst_row_stride=pitch, value=value)
    tail = start + head + (inner.rows - 1) * pitch + row
    if end > tail:
        b.emit(Opcode.FILL, row_bytes=end - tail, dst=tail, value=value)


def make_resident(b: Builder, storage: Storage) -> None:
    """Take the place in activation memory that is planned for `storage`."""
    top, left, _, _ = storage.pads
    b.activation.reserve(storage.start, storage.resident_size + b.config.matrix_bytes - 1)
    storage.address = storage.start + top * storage.pitch + left * storage.shape[2]


def _fill_padding(b: Builder, storage: Storage) -> None:
    """Fill the padding of a resident `storage`, once: not before it is needed, since the producer's first input waits behind it."""
    if any(storage.pads) and not storage.padded:
        height, width, channels = storage.shape
        top, left, bottom, right = storage.pads
        whole = Box(-top, height + bottom, -left, width + right)
        _fill_border(b, storage.start, whole, whole.inside(height, width), channels, storage.fill)
    storage.padded = True


def _resident_place(storage: Storage, tensor: Tensor, box: Box) -> Place:
    pitch, pixel = storage.row(tensor), storage.depth(tensor)
    address = storage.address + box.top * pitch + box.left * pixel + storage.slices.get(tensor, 0)
    return Place(address, pitch, pixel, (address, address + box.rows * pitch))


def _rows(local: str, box: Box, tensor: tuple[int, int], buffer: tuple[int, int]) -> dict[str, int]:
    """Transfer fields for `box`: as few and as long rows as `tensor` (width, bytes a pixel) and `buffer` (pitch, bytes a pixel) allow."""
    width, depth = tensor
    pitch, count = buffer
    if count != depth:
        return {
            "row_bytes": count,
            "rows": box.columns,
            "row_stride": depth,
            "planes": box.rows,
            "plane_stride": width * depth,
            f"{local}_row_stride": count,
            f"{local}_plane_stride": pitch,
        }
    row = box.columns * depth
    if row == pitch == width * depth:
        return {"row_bytes": box.rows * row}
    return {"row_bytes": row, "rows": box.rows, "row_stride": width * depth, f"{local}_row_stride": pitch}


@contextmanager
def input_tile(
    b: Builder,
    storage: Storage,
    tensor: Tensor,
    box: Box,
    channels: range | None = None,
    avoid: tuple[tuple[int, int], ...] = (),
) -> Iterator[Place]:
    """`box` of `tensor` (or of some of its channels) in activation memory for the duration of the block.

    What lies outside the tensor holds its zero point; `box` may only go outside when all channels are taken.
    """
    height, width, depth = tensor.shape
    channels = channels or range(depth)
    if storage.resident:
        place = _resident_place(storage, tensor, box)
        yield Place(place.address + channels.start, place.pitch, place.pixel, place.span)
        return
    count = len(channels)
    with b.buffer(tile_bytes(box, count), avoid) as start:
        pitch = box.columns * count
        inner = box.inside(height, width)
        _fill_border(b, start, box, inner, count, storage.fill)
        if not inner.empty:
            pixel = storage.depth(tensor)
            source = storage.offset + (inner.top * width + inner.left) * pixel + storage.slices.get(tensor, 0) + channels.start
            target = start + (inner.top - box.top) * pitch + (inner.left - box.left) * count
            common = {"region": storage.region, "address": source, "dst": target}
            b.emit(Opcode.LOAD, **common, **_rows("dst", inner, (width, pixel), (pitch, count)))
        yield Place(start, pitch, count, (start, start + box.rows * pitch))


@contextmanager
def broadcast_tile(
    b: Builder, storage: Storage, tensor: Tensor, channels: range | None = None, avoid: tuple[tuple[int, int], ...] = ()
) -> Iterator[Place]:
    """The only pixel of `tensor` (or some of its channels) in activation memory, as the same pixel in all rows and columns."""
    with input_tile(b, storage, tensor, Box(0, 1, 0, 1), channels, avoid) as place:
        yield Place(place.address, 0, 0, place.span)


@contextmanager
def output_tile(
    b: Builder, storage: Storage, tensor: Tensor, box: Box, channels: range, avoid: tuple[tuple[int, int], ...] = ()
) -> Iterator[Place]:
    """Where the block writes `channels` of `box` of `tensor`; stored to DRAM at the end of the block unless resident."""
    _, width, _ = tensor.shape
    pixel = storage.depth(tensor)
    if storage.resident:
        _fill_padding(b, storage)
        place = _resident_place(storage, tensor, box)
        yield Place(place.address + channels.start, place.pitch, place.pixel, place.span)
        return
    count = len(channels)
    with b.buffer(tile_bytes(box, count), avoid) as start:
        pitch = box.columns * count
        yield Place(start, pitch, count, (start, start + box.rows * pitch))
        target = storage.offset + (box.top * width + box.left) * pixel + storage.slices.get(tensor, 0) + channels.start
        common = {"region": storage.region, "address": target, "src": start}
        b.emit(Opcode.STORE, **common, **_rows("src", box, (width, pixel), (pitch, count)))
