"""What the core is built of for a configuration: its multipliers and memories, counted, and for each unit the sizes that its logic grows with."""

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil

from talos.config import AcceleratorConfig
from talos.parameters import CODES, RECORD_BYTES
from talos.synth.resources import HARNESS, Resources

__all__ = ["UNITS", "by_unit", "ecp5_brams", "ecp5_dsps"]

Terms = tuple[float, ...]

_LANE_MULTIPLIERS = 4  # the 32 × 24-bit product of a requantization lane, in 18 × 18-bit multipliers
_BRAM_COST, _LUT_RAM_COST = 64, 4  # of Yosys's library for ECP5: a block, and 16 × 4 bits of distributed RAM
_BRAM_SHAPES = ((512, 36), (1024, 18), (2048, 9), (4096, 4), (8192, 2), (16384, 1))


@dataclass(frozen=True)
class _Memory:
    """`count` memories of `depth` words of `width` bits; bytes: written byte by byte."""

    count: int
    depth: int
    width: int
    bytes: bool = False

    def blocks(self) -> int:
        """Block RAMs of all `count` on ECP5; 0 if distributed RAM is cheaper."""
        one = min(ceil(self.depth / depth) * self._columns(width) for depth, width in _BRAM_SHAPES)
        distributed = ceil(self.depth / 16) * ceil(self.width / 4)
        return 0 if _LUT_RAM_COST * distributed < _BRAM_COST * one else self.count * one

    def _columns(self, width: int) -> int:
        if not self.bytes:
            return ceil(self.width / width)
        # The ninth bit of a byte is of no use; blocks narrower than a byte hold a part of one.
        return ceil(self.width / (8 * (width // 9))) if width >= 9 else self.width // 8 * ceil(8 / width)


def _memories(config: AcceleratorConfig) -> list[_Memory]:
    sub_banks = 2 * config.activation_banks
    word = max(config.beat_bytes, RECORD_BYTES)
    return [
        _Memory(sub_banks, config.activation_bytes // (sub_banks * config.line_bytes), 8 * config.line_bytes, bytes=True),
        _Memory(2, config.half_depth, 32 * config.cols),
        _Memory(1, config.parameter_bytes // word, 8 * word),
        _Memory(1, config.weight_fifo_bytes // config.beat_bytes, config.axi_data_width),
        _Memory(config.lanes * config.lookup, CODES, 8),
        _Memory(config.lanes * config.residual, CODES, 30),
    ]


def ecp5_brams(config: AcceleratorConfig) -> int:
    """Block RAMs of the core on ECP5: what Yosys makes of the memories, which is the cheapest shape of a block."""
    return sum(memory.blocks() for memory in _memories(config))


def ecp5_dsps(config: AcceleratorConfig) -> int:
    """18 × 18-bit multipliers of the core: one in each PE, those of the lanes, and one more in each lane for `multiply`."""
    return config.peak_macs + config.lanes * (_LANE_MULTIPLIERS + config.multiply)


def _activation(config: AcceleratorConfig) -> Terms:
    # Every port selects two lines among all sub-banks and shifts out its bytes; every sub-bank selects what is written.
    line, banks = config.line_bytes, config.activation_banks
    ports = config.matrix_bytes + config.cols + config.beat_bytes
    return (1, line * banks, line, ports * (line - 1).bit_length())


def _array(config: AcceleratorConfig) -> Terms:
    # Bytes and sums are skewed on their way in and out: element k by k registers.
    inputs, cols = config.matrix_bytes, config.cols
    skew = 4 * inputs * (inputs - 1) + (8 + config.psum_width) * cols * (cols - 1) / 2
    return (config.peak_macs, config.peak_macs * config.depthwise, config.peak_macs * config.psum_width, skew)


def _accumulator(config: AcceleratorConfig) -> Terms:
    return (1, config.cols)


def _lanes(config: AcceleratorConfig) -> Terms:
    lanes, cols = config.lanes, config.cols
    optional = (lanes * config.residual, lanes * config.multiply, lanes * config.lookup, cols * config.pool)
    return (lanes, cols, *optional, cols * (config.lanes < cols))


def _vector(config: AcceleratorConfig) -> Terms:
    return (1, config.residual, config.pool)


def _beats(config: AcceleratorConfig) -> Terms:
    return (1, config.beat_bytes)


def _weights(config: AcceleratorConfig) -> Terms:
    return (1, config.beat_bytes, config.cols)


def _matrix(config: AcceleratorConfig) -> Terms:
    return (1, config.rows, config.cols, config.depthwise)


def _constant(config: AcceleratorConfig) -> Terms:
    return (1,)


UNITS: dict[str, Callable[[AcceleratorConfig], Terms]] = {
    "activation": _activation,
    "matrix.array": _array,
    "matrix.accumulator": _accumulator,
    "matrix": _matrix,
    "vector.lanes": _lanes,
    "vector": _vector,
    "weights": _weights,
    "control": _constant,
    "transfers": _beats,
}
"""Unit → the sizes that its LUTs and registers are a sum of multiples of. `transfers` is all the rest: fetch, load, store, queues, bus."""


def by_unit(modules: dict[str, Resources]) -> dict[str, Resources]:
    """Resources by module path (as `talos synth` finds them) added up by unit; the harness is left out."""
    units = dict.fromkeys(UNITS, Resources())
    for path, resources in modules.items():
        if path != HARNESS:
            parts = path.split(".")
            names = (".".join(parts[:2]), parts[0])
            unit = next((name for name in names if name in UNITS), "transfers")
            units[unit] += resources
    return units
