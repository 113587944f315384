"""The choice of a layer's tiles: output rows × columns × channel blocks that fit the memories and cost the fewest cycles."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from talos.config import AcceleratorConfig
from talos.effects import RECORD_BYTES
from talos.isa import INSTRUCTION_BYTES

__all__ = ["ConvShape", "Tile", "choose_tile", "splits"]

SHORT_BURST = (
    4.5  # cycles of a one-beat burst where 16 bursts may be under way and each takes 64 cycles and more, for the estimate only
)
VECTOR_OVERHEAD = 60  # cycles from a block's last sum to its bytes in activation memory, for the estimate only


@dataclass(frozen=True)
class Tile:
    """`rows` × `columns` output pixels, `blocks` channel blocks per output buffer, `group` blocks per matrix instruction."""

    rows: int
    columns: int
    blocks: int
    group: int


@dataclass(frozen=True)
class ConvShape:
    """What the cost of a tile depends on. Channel counts 0 mean that the tensor is resident and moves no bytes."""

    out_h: int
    out_w: int
    stride_h: int
    stride_w: int
    extent_h: int
    extent_w: int
    load_channels: int
    store_channels: int
    residual_channels: int
    blocks: int
    tiles: int
    warmup: int
    passes: int
    behind: int = 0  # cycles of the vector unit for layers that follow band by band
    late: int = 0  # bands that they are late


def splits(length: int) -> list[int]:
    """The distinct sizes that cutting `length` into equal parts gives, largest first."""
    return sorted({-(-length // parts) for parts in range(1, length + 1)}, reverse=True)


def _buffers(shape: ConvShape, tile: Tile, config: AcceleratorConfig) -> tuple[int, int]:
    """Bytes of one input tile, and of one output tile with its residual."""
    rows = (tile.rows - 1) * shape.stride_h + shape.extent_h
    columns = (tile.columns - 1) * shape.stride_w + shape.extent_w
    share = min(1.0, tile.blocks * config.cols / max(1, shape.blocks * config.cols))
    pixels = tile.rows * tile.columns
    slack = 2 * config.line_bytes + config.matrix_bytes
    load = rows * columns * shape.load_channels
    store = int(pixels * shape.store_channels * share) + 1 if shape.store_channels else 0
    residual = int(pixels * shape.residual_channels * share) + 1 if shape.residual_channels else 0
    return load + slack * bool(load), store + residual + slack * (bool(store) + bool(residual))


def _pixel_beats(shape: ConvShape, channels: int, chunks: int, beat: int) -> float:
    """Bus cycles of a tensor of the output's size that moves in `chunks` channel chunks: one short burst per pixel if more than one."""
    pixels = shape.out_h * shape.out_w
    if chunks == 1 or not channels:
        return pixels * channels / beat
    return pixels * chunks * max(channels / chunks / beat, SHORT_BURST)


def _cost(shape: ConvShape, tile: Tile, config: AcceleratorConfig, load: int, store: int) -> float:
    """Estimated cycles of the layer: the busiest of array, read bus, write bus and vector unit, plus what the ends expose."""
    bands, columns = -(-shape.out_h // tile.rows), -(-shape.out_w // tile.columns)
    count = bands * columns
    pixels = tile.rows * tile.columns
    beat = config.beat_bytes
    array = count * shape.blocks * shape.tiles * max(tile.rows * (tile.columns + shape.warmup), config.rows)
    rows = (tile.rows - 1) * shape.stride_h + shape.extent_h
    load_beats = count * (load / beat + (rows * SHORT_BURST if columns > 1 else 1))
    chunks = -(-shape.blocks // tile.blocks)
    residual = _pixel_beats(shape, shape.residual_channels, chunks, beat)
    weight_beats = count * shape.blocks * shape.tiles * config.rows * config.cols / beat
    store_beats = _pixel_beats(shape, shape.store_channels, chunks, beat)
    groups = count * -(-shape.blocks // tile.group)
    transfers = count * (2 * bool(load) + bool(store))
    fetch_beats = (3 * groups + transfers) * INSTRUCTION_BYTES / beat
    vector = shape.passes * config.cols // config.lanes * count * shape.blocks * pixels + groups * VECTOR_OVERHEAD
    tail = shape.passes * pixels * tile.group + VECTOR_OVERHEAD + (load + store) / beat
    read_beats = load_beats + residual + weight_beats + fetch_beats
    vector += shape.behind
    tail += shape.behind * min(1, (1 + shape.late) / bands)
    return max(array, read_beats, store_beats, vector) + tail + 10 * (groups + transfers)


def _candidates(shape: ConvShape, config: AcceleratorConfig) -> Iterator[Tile]:
    half = config.half_depth
    most = min(1024, max(1, config.parameter_bytes // (4 * RECORD_BYTES * config.cols)))  # records of an instruction's blocks
    for columns in [*splits(shape.out_w)[:12], 1]:
        if columns > min(half, 1024 - shape.warmup):
            continue
        for rows in splits(shape.out_h):
            pixels = rows * columns
            if pixels > half or rows > 1024:
                continue
            for blocks in splits(shape.blocks):
                for size in sorted({1, max(1, 256 // pixels), half // pixels}):
                    if pixels * size <= half:
                        yield Tile(rows, columns, blocks, min(size, blocks, most))
                if not shape.store_channels and not shape.residual_channels:
                    break  # nothing is buffered per channel chunk


@lru_cache(maxsize=4096)
def choose_tile(shape: ConvShape, config: AcceleratorConfig, budget: int) -> Tile | None:
    """The cheapest tile whose buffers fit `budget` bytes twice (so that transfers overlap), or else once; None if none fits.

    Rows are not cut into columns unless they must be: short transfers and seams cost more than the estimate knows.
    """
    best: tuple[bool, bool, float] | None = None
    chosen = None
    for tile in _candidates(shape, config):
        load, store = _buffers(shape, tile, config)
        if load + store > budget:
            continue
        single = 2 * (load + store) > budget
        key = (single, tile.columns < shape.out_w, _cost(shape, tile, config, load, store))
        if best is None or key < best:
            best, chosen = key, tile
    return chosen
