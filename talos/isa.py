"""The instruction set, declared once: RTL layouts, encoder, decoder, disassembly and reference are derived from `INSTRUCTIONS`.

An instruction is a self-contained 512-bit descriptor of one hardware loop nest, little-endian in memory. Fields are packed from bit 0
in the order declared; the header (opcode, wait, post) is common to all. Counts are stored minus one.
"""

import enum
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from talos.errors import TalosError

__all__ = [
    "INSTRUCTIONS", "INSTRUCTION_BYTES", "SYNC_UNITS", "Field", "Format", "Instruction", "Opcode", "Source", "Space", "TableKind", "Unit",
    "decode", "unit_formats", "unit_width",
]  # fmt: skip

INSTRUCTION_BYTES = 64


class Unit(enum.IntEnum):
    """The concurrent units. Their numbers index counters and trace bits."""

    FETCH = 0
    LOAD = 1
    WEIGHTS = 2
    MATRIX = 3
    VECTOR = 4
    STORE = 5


SYNC_UNITS = (Unit.LOAD, Unit.MATRIX, Unit.VECTOR, Unit.STORE)
"""Bit i of `wait` and `post` stands for SYNC_UNITS[i]: one counting semaphore for each ordered pair (poster, waiter)."""


class Opcode(enum.IntEnum):
    LOAD = 1
    FILL = 2
    STREAM = 3
    MATMUL = 4
    VECTOR = 5
    TABLE = 6
    STORE = 7


class Space(enum.IntEnum):
    """Where a LOAD writes."""

    ACTIVATION = 0
    PARAMETER = 1


class Source(enum.IntEnum):
    """What a VECTOR instruction reads for each output pixel."""

    ACCUMULATOR = 0
    MAXIMUM = 1  # of a window of the activation memory (a window of one is a plain read)
    SUM = 2  # of a window of the activation memory


class TableKind(enum.IntEnum):
    LOOKUP = 0  # 256 bytes: int8 → int8, applied last
    ADD = 1  # 256 × 4 bytes: bits 24:0 signed mantissa, bits 29:25 left shift


@dataclass(frozen=True)
class Field:
    """One field: `width` bits; `signed` two's complement; `count` is stored minus one."""

    name: str
    width: int
    doc: str
    signed: bool = False
    count: bool = False

    @property
    def low(self) -> int:
        return 1 if self.count else -(1 << (self.width - 1)) if self.signed else 0

    @property
    def high(self) -> int:
        return (1 << self.width) if self.count else (1 << (self.width - self.signed)) - 1

    def encode(self, value: int) -> int:
        if not self.low <= value <= self.high:
            raise TalosError(f"field {self.name}={value} is outside {self.low}…{self.high}")
        return (value - self.count) & ((1 << self.width) - 1)

    def decode(self, bits: int) -> int:
        if self.signed and bits >> (self.width - 1):
            return bits - (1 << self.width)
        return bits + self.count


ADDRESS = 22  # bits of a byte address in activation memory
HEADER = (
    Field("opcode", 4, "Operation; 0 and unlisted codes stop the core with an error."),
    Field(
        "wait", 4, "Start only when the semaphores posted by these units (load, matrix, vector, store) are > 0; take one of each."
    ),
    Field("post", 4, "When finished, post one to the semaphores of these units."),
    Field("reserved", 4, "Zero."),
)


def _dram(what: str) -> tuple[Field, ...]:
    return (
        Field("region", 2, "Which base-address register the DRAM address is relative to."),
        Field("address", 32, f"DRAM byte address of the {what}, relative to the region."),
        Field("row_bytes", ADDRESS, "Contiguous bytes of a row.", count=True),
        Field("rows", 16, "Rows of a plane.", count=True),
        Field("row_stride", 32, "DRAM bytes from row to row.", signed=True),
        Field("planes", 12, "Planes.", count=True),
        Field("plane_stride", 32, "DRAM bytes from plane to plane.", signed=True),
    )


def _local(what: str, prefix: str) -> tuple[Field, ...]:
    return (
        Field(prefix, ADDRESS, f"First byte {what} in on-chip memory."),
        Field(f"{prefix}_row_stride", ADDRESS, "Bytes from row to row.", signed=True),
        Field(f"{prefix}_plane_stride", ADDRESS, "Bytes from plane to plane.", signed=True),
    )


@dataclass(frozen=True)
class Format:
    """The layout of one opcode."""

    opcode: Opcode
    unit: Unit
    doc: str
    body: tuple[Field, ...]

    @property
    def fields(self) -> tuple[Field, ...]:
        return HEADER + self.body

    @cached_property
    def offsets(self) -> dict[str, int]:
        """Bit position of each field."""
        positions, position = {}, 0
        for field in self.fields:
            positions[field.name] = position
            position += field.width
        return positions

    @property
    def width(self) -> int:
        return sum(field.width for field in self.fields)


INSTRUCTIONS: dict[Opcode, Format] = {
    fmt.opcode: fmt
    for fmt in (
        Format(
            Opcode.LOAD,
            Unit.LOAD,
            "Copy rows of bytes from DRAM to activation or parameter memory.",
            (
                *_dram("source"),
                *_local("written", "dst"),
                Field("space", 1, "Destination: activation (0) or parameter (1) memory."),
            ),
        ),
        Format(
            Opcode.FILL,
            Unit.LOAD,
            "Write a constant to rows of activation memory (padding).",
            (
                Field("row_bytes", ADDRESS, "Contiguous bytes of a row.", count=True),
                Field("rows", 16, "Rows of a plane.", count=True),
                Field("planes", 12, "Planes.", count=True),
                *_local("written", "dst"),
                Field("value", 8, "The byte.", signed=True),
            ),
        ),
        Format(
            Opcode.STREAM,
            Unit.WEIGHTS,
            "Push DRAM bytes into the weight FIFO, in consumption order.",
            (
                Field("region", 2, "Which base-address register the DRAM address is relative to."),
                Field("address", 32, "DRAM byte address, a multiple of the AXI beat."),
                Field("bytes", 32, "Length, a multiple of the AXI beat.", count=True),
            ),
        ),
        Format(
            Opcode.MATMUL,
            Unit.MATRIX,
            "For each block of output channels, for each tap row, tap column and slice of the contraction: take the next rows × cols weight tile "
            "from the FIFO and stream out_h × out_w pixel vectors of `rows` contiguous bytes through the array into the accumulators.",
            (
                Field("act", ADDRESS, "Address of the first pixel's first byte."),
                Field("blocks", 10, "Blocks of `cols` output channels.", count=True),
                Field(
                    "block_stride",
                    ADDRESS,
                    "Bytes from one block's first byte to the next's (0 unless channels are grouped).",
                    signed=True,
                ),
                Field("taps_h", 8, "Kernel rows.", count=True),
                Field("tap_h_stride", ADDRESS, "Bytes from kernel row to kernel row.", signed=True),
                Field("taps_w", 8, "Kernel columns (1 where a kernel row is contiguous).", count=True),
                Field("tap_w_stride", ADDRESS, "Bytes from kernel column to kernel column.", signed=True),
                Field("slices", 12, "Slices of `rows` contiguous bytes.", count=True),
                Field("slice_stride", 16, "Bytes from slice to slice.", signed=True),
                Field("out_h", 10, "Output rows.", count=True),
                Field("row_stride", ADDRESS, "Bytes from output row to output row.", signed=True),
                Field("out_w", 10, "Output columns.", count=True),
                Field("pixel_stride", 18, "Bytes from output pixel to output pixel.", signed=True),
                Field("acc", 16, "First accumulator entry; block b, pixel p is at acc + b·out_h·out_w + p."),
                Field("accumulate", 1, "Add to what the accumulators hold; otherwise each block's first tile overwrites."),
                Field(
                    "depthwise", 1, "Column c filters channel c: pixel vectors of `cols` bytes enter from the top, rows are taps."
                ),
                Field(
                    "warmup",
                    6,
                    "Depthwise: vectors at the start of each output row that only fill the filter (out_w counts them).",
                ),
            ),
        ),
        Format(
            Opcode.VECTOR,
            Unit.VECTOR,
            "For each block of channels and each output pixel: read accumulators or a window of activation memory, requantize, add, look up, "
            "clamp, and write up to `cols` bytes to activation memory. Blocks follow each other by `cols` bytes in every tensor.",
            (
                Field("source", 2, "Accumulator (0), window maximum (1) or window sum (2)."),
                Field("requantize", 1, "Apply bias, multiplier and exponent of each channel, then zero_point, low, high."),
                Field("add", 1, "Combine with tensor b through the ADD table, then out_zero_point, out_low, out_high."),
                Field("lookup", 1, "Apply the LOOKUP table last."),
                Field("blocks", 10, "Blocks of `cols` channels.", count=True),
                Field("tail", 7, "Channels written in the last block.", count=True),
                Field("out_h", 10, "Output rows.", count=True),
                Field("out_w", 10, "Output columns.", count=True),
                Field("win_h", 8, "Window rows.", count=True),
                Field("win_w", 8, "Window columns.", count=True),
                Field("acc", 16, "First accumulator entry; block b, pixel p is at acc + b·out_h·out_w + p."),
                Field("param", 14, "First channel's record in parameter memory, in units of 8 bytes."),
                Field("a", ADDRESS, "Address of the first window (source 1, 2)."),
                Field("a_row_stride", ADDRESS, "Bytes from output row to output row.", signed=True),
                Field("a_pixel_stride", 18, "Bytes from output pixel to output pixel.", signed=True),
                Field("a_win_h_stride", ADDRESS, "Bytes from window row to window row.", signed=True),
                Field("a_win_w_stride", 18, "Bytes from window column to window column.", signed=True),
                Field("b", ADDRESS, "Address of the residual tensor's first pixel."),
                Field("b_row_stride", ADDRESS, "Bytes from row to row.", signed=True),
                Field("b_pixel_stride", 18, "Bytes from pixel to pixel.", signed=True),
                Field("dst", ADDRESS, "Address of the first pixel written."),
                Field("dst_row_stride", ADDRESS, "Bytes from row to row.", signed=True),
                Field("dst_pixel_stride", 18, "Bytes from pixel to pixel.", signed=True),
                Field("zero_point", 8, "Zero point after requantization.", signed=True),
                Field("low", 8, "Lower clamp after requantization, or of the result if there is none.", signed=True),
                Field("high", 8, "Upper clamp.", signed=True),
                Field("out_zero_point", 8, "Zero point after the addition.", signed=True),
                Field("out_low", 8, "Lower clamp after the addition.", signed=True),
                Field("out_high", 8, "Upper clamp after the addition.", signed=True),
                Field("add_mantissa", 24, "Multiplier of operand a in the addition."),
                Field("add_align", 5, "Left shift of |a| before the multiplication."),
                Field(
                    "add_swap",
                    1,
                    "The tables take the requantized (or source) value and the multiplier tensor b: b is the first operand.",
                ),
                Field("add_unsigned", 1, "Operand a is its code + 128 (uint8 tensors: the top bit inverted, read as unsigned)."),
                Field("add_shift", 9, "The sum's fixed-point exponent k: value = sum · 2^-k.", signed=True),
                Field(
                    "multiply",
                    1,
                    "With add: multiply the tensors. Operand a is (a - operand_zero_point) · (b - addend_zero_point); the ADD table "
                    "still takes b.",
                ),
                Field(
                    "operand_zero_point",
                    8,
                    "Of the operand that goes through the multiplier (b if add_swap is set).",
                    signed=True,
                ),
                Field("addend_zero_point", 8, "Of the operand that goes through the ADD table.", signed=True),
            ),
        ),
        Format(
            Opcode.TABLE,
            Unit.VECTOR,
            "Copy a 256-entry table from parameter memory into every lane.",
            (
                Field("kind", 1, "LOOKUP (0): 256 bytes; ADD (1): 256 words of 32 bits."),
                Field("param", 14, "First byte in parameter memory, in units of 8 bytes."),
            ),
        ),
        Format(
            Opcode.STORE,
            Unit.STORE,
            "Copy rows of bytes from activation memory to DRAM.",
            (*_dram("destination"), *_local("read", "src")),
        ),
    )
}


def unit_formats(unit: Unit) -> tuple[Format, ...]:
    """The formats that `unit` executes."""
    return tuple(fmt for fmt in INSTRUCTIONS.values() if fmt.unit == unit)


def unit_width(unit: Unit) -> int:
    """Bits of an instruction that `unit` looks at: the width of its queue."""
    return max(fmt.width for fmt in unit_formats(unit))


class Instruction:
    """An opcode with a value for each of its fields (counts as counts). Fields left out are zero, counts one."""

    __slots__ = ("format", "values")

    def __init__(self, opcode: Opcode, /, **values: int) -> None:
        self.format = INSTRUCTIONS[opcode]
        self.values = {field.name: int(field.count) for field in self.format.fields}
        self.values["opcode"] = int(opcode)
        for name, value in values.items():
            self[name] = value

    @property
    def opcode(self) -> Opcode:
        return self.format.opcode

    @property
    def unit(self) -> Unit:
        return self.format.unit

    def __getitem__(self, name: str) -> int:
        return self.values[name]

    def __setitem__(self, name: str, value: int) -> None:
        if name not in self.values:
            raise TalosError(f"{self.opcode.name} has no field '{name}'")
        self.values[name] = int(value)

    def __iter__(self) -> Iterator[tuple[str, int]]:
        return iter(self.values.items())

    def __eq__(self, other: Any) -> bool:
        return isinstance(other, Instruction) and self.values == other.values

    def __hash__(self) -> int:
        return hash(tuple(self.values.items()))

    def __repr__(self) -> str:
        body = " ".join(f"{name}={value}" for name, value in self if name not in ("opcode", "reserved"))
        return f"{self.opcode.name} {body}"

    def encode(self) -> bytes:
        """64 bytes, little-endian. Raises TalosError naming the field that does not fit."""
        word = 0
        for field in self.format.fields:
            try:
                word |= field.encode(self.values[field.name]) << self.format.offsets[field.name]
            except TalosError as error:
                raise TalosError(f"instruction {self.opcode.name}: {error}") from error
        return word.to_bytes(INSTRUCTION_BYTES, "little")


def decode(data: bytes) -> Instruction:
    """Inverse of `Instruction.encode`. Raises TalosError for an unknown opcode, a wrong length or set bits outside the fields."""
    if len(data) != INSTRUCTION_BYTES:
        raise TalosError(f"an instruction has {INSTRUCTION_BYTES} bytes, not {len(data)}")
    word = int.from_bytes(data, "little")
    code = word & 15
    if code not in INSTRUCTIONS:
        raise TalosError(f"unknown opcode {code}")
    fmt = INSTRUCTIONS[Opcode(code)]
    if word >> fmt.width:
        raise TalosError(f"{fmt.opcode.name}: bits above {fmt.width} are set")
    values = {f.name: f.decode((word >> fmt.offsets[f.name]) & ((1 << f.width) - 1)) for f in fmt.fields if f.name != "opcode"}
    return Instruction(fmt.opcode, **values)
