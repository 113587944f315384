"""What an instruction reads and writes on chip and in DRAM, derived from its fields alone.

The compiler derives the semaphores from it and the checker proves them sufficient. A range is the hull of a loop nest,
refined to the channels touched: it may contain bytes that are not touched, never fewer than are.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from math import gcd

from talos.config import AcceleratorConfig
from talos.isa import Instruction, Opcode, Source, Space, TableKind

__all__ = ["ACCUMULATOR", "ACTIVATION", "DRAM", "PARAMETER", "RECORD_BYTES", "Access", "effects"]

ACTIVATION, PARAMETER, ACCUMULATOR = "activation", "parameter", "accumulator"
DRAM = ("dram0", "dram1", "dram2", "dram3")

RECORD_BYTES = 8
"""Parameter memory is addressed in records of 8 bytes: one channel's bias, multiplier and exponent."""


Loop = tuple[int, int]  # count, stride


@dataclass(frozen=True)
class Access:
    """`low` ≤ touched addresses < `high` of `space`: bytes, or pixels for the accumulators.

    With a `period`, only addresses whose distance from `low` modulo `period` is below `width` are touched: some channels of a tensor.
    """

    space: str
    low: int
    high: int
    write: bool
    period: int = 0
    width: int = 0

    def meets(self, other: "Access") -> bool:
        """Whether the two may touch the same address."""
        if self.space != other.space or self.low >= other.high or other.low >= self.high:
            return False
        if not (self.period and other.period):
            return True
        period = gcd(self.period, other.period)
        distance = (other.low - self.low) % period
        return distance < self.width or period - distance < other.width


def _touched(space: str, base: int, loops: Iterable[Loop], length: int, write: bool) -> Access:
    """`length` bytes at base + Σ index·stride, for `loops`: the hull, and if the short strides leave gaps between the long ones, their period."""
    nest = sorted((abs(stride), count, stride) for count, stride in loops if count > 1 and stride)
    low = base + sum(min((count - 1) * stride, 0) for _, count, stride in nest)
    high = base + sum(max((count - 1) * stride, 0) for _, count, stride in nest) + length
    width = length
    for inner, (step, count, _) in enumerate(nest):
        period = gcd(*(step for step, _, _ in nest[inner:]))
        if width < period:
            return Access(space, low, high, write, period, width)
        width += (count - 1) * step
    return Access(space, low, high, write)


def _dram(i: Instruction, write: bool) -> Access:
    loops = ((i["rows"], i["row_stride"]), (i["planes"], i["plane_stride"]))
    return _touched(DRAM[i["region"]], i["address"], loops, i["row_bytes"], write)


def _local(i: Instruction, prefix: str, space: str, write: bool) -> Access:
    loops = ((i["rows"], i[f"{prefix}_row_stride"]), (i["planes"], i[f"{prefix}_plane_stride"]))
    return _touched(space, i[prefix], loops, i["row_bytes"], write)


def _matmul(i: Instruction, config: AcceleratorConfig) -> list[Access]:
    loops = (
        (i["blocks"], i["block_stride"]),
        (i["taps_h"], i["tap_h_stride"]),
        (i["taps_w"], i["tap_w_stride"]),
        (i["slices"], i["slice_stride"]),
        (i["out_h"], i["row_stride"]),
        (i["out_w"], i["pixel_stride"]),
    )
    pixels = i["blocks"] * i["out_h"] * (i["out_w"] - i["warmup"])
    vector = config.cols if i["depthwise"] else config.rows
    accesses = [
        _touched(ACTIVATION, i["act"], loops, vector, False),
        Access(ACCUMULATOR, i["acc"], i["acc"] + pixels, True),
    ]
    if i["accumulate"]:
        accesses.append(Access(ACCUMULATOR, i["acc"], i["acc"] + pixels, False))
    return accesses


def _vector(i: Instruction, config: AcceleratorConfig) -> list[Access]:
    channels = (i["blocks"] - 1) * config.cols + i["tail"]

    def tensor(prefix: str, write: bool, *window: Loop) -> Access:
        loops = ((i["out_h"], i[f"{prefix}_row_stride"]), (i["out_w"], i[f"{prefix}_pixel_stride"]), *window)
        return _touched(ACTIVATION, i[prefix], loops, channels, write)

    accesses = [tensor("dst", True)]
    if i["source"] == Source.ACCUMULATOR:
        accesses.append(Access(ACCUMULATOR, i["acc"], i["acc"] + i["blocks"] * i["out_h"] * i["out_w"], False))
    else:
        accesses.append(tensor("a", False, (i["win_h"], i["a_win_h_stride"]), (i["win_w"], i["a_win_w_stride"])))
    if i["add"]:
        accesses.append(tensor("b", False))
    if i["requantize"]:
        start = i["param"] * RECORD_BYTES
        accesses.append(Access(PARAMETER, start, start + i["blocks"] * config.cols * RECORD_BYTES, False))
    return accesses


def effects(instruction: Instruction, config: AcceleratorConfig) -> list[Access]:
    """Everything that `instruction` reads and writes, weight FIFO and lane tables (private to one unit) excepted."""
    match instruction.opcode:
        case Opcode.LOAD:
            space = PARAMETER if instruction["space"] == Space.PARAMETER else ACTIVATION
            return [_dram(instruction, False), _local(instruction, "dst", space, True)]
        case Opcode.FILL:
            return [_local(instruction, "dst", ACTIVATION, True)]
        case Opcode.STREAM:
            low = instruction["address"]
            return [Access(DRAM[instruction["region"]], low, low + instruction["bytes"], False)]
        case Opcode.MATMUL:
            return _matmul(instruction, config)
        case Opcode.VECTOR:
            return _vector(instruction, config)
        case Opcode.TABLE:
            start = instruction["param"] * RECORD_BYTES
            size = 256 if instruction["kind"] == TableKind.LOOKUP else 1024
            return [Access(PARAMETER, start, start + size, False)]
        case Opcode.STORE:
            return [_dram(instruction, True), _local(instruction, "src", ACTIVATION, False)]
