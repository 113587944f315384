"""The one configuration object that RTL, models and compiler all read."""

import hashlib
import json
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from talos.errors import TalosError
from talos.late import call_late

__all__ = ["ISA_VERSION", "PRESETS", "AcceleratorConfig", "load_config"]

ISA_VERSION = 2
"""Part of the hash: a program for another instruction set is refused like one for another array."""


def _is_power_of_two(value: int) -> bool:
    return value > 0 and value & (value - 1) == 0


@dataclass(frozen=True, kw_only=True)
class AcceleratorConfig:
    """Parameters of one accelerator. Sizes are bytes unless said; every combination that cannot be built is refused at once.

    Parameters
    ----------
    rows, cols
        Systolic array: input-channel lanes × output-channel lanes. Powers of two, 4…64, not necessarily equal.
    activation_bytes, activation_banks
        Activation memory and the number of address ranges that can be read (and written) independently in a cycle.
    accumulator_depth
        Pixels held by the accumulators (each `cols` × 32 bits), both halves together.
    weight_fifo_bytes
        How far the weight stream can run ahead.
    parameter_bytes
        Memory of per-channel requantization parameters (8 bytes a channel) and tables.
    axi_data_width, axi_addr_width
        AXI4 master, bits.
    lanes
        Requantization lanes, a power of two ≤ cols; `cols // lanes` cycles a pixel.
    queue_depth
        Instructions waiting in front of each unit.
    max_burst
        Beats of the longest AXI burst.
    read_ahead
        Beats that the load unit may have under way, and the weight stream as many; cover the DRAM's latency with it. More would let one
        of them, or instruction fetch, wait long behind the other.
    residual, lookup, pool, depthwise
        Optional features: fused/element-wise addition, 256-entry tables, pooling windows (vector unit), depthwise mode (array).
    multiply
        Optional feature: element-wise multiplication, one 9 × 9-bit multiplier in each requantization lane. Needs `residual`, whose
        second operand and table it uses.
    """

    rows: int
    cols: int
    activation_bytes: int
    activation_banks: int = 4
    accumulator_depth: int
    weight_fifo_bytes: int
    parameter_bytes: int
    axi_data_width: int
    axi_addr_width: int = 32
    lanes: int = 0  # 0 means cols
    queue_depth: int = 8
    max_burst: int = 32
    read_ahead: int = 128
    residual: bool = True
    lookup: bool = True
    pool: bool = True
    depthwise: bool = True
    multiply: bool = True

    def __post_init__(self) -> None:
        if self.lanes == 0:
            object.__setattr__(self, "lanes", self.cols)
        for field in fields(self):
            value = getattr(self, field.name)
            if type(value) is not field.type:
                raise TalosError(f"config: {field.name}={value!r} must be {getattr(field.type, '__name__', field.type)}")
        for name, low, high in (
            ("rows", 4, 64),
            ("cols", 4, 64),
            ("activation_bytes", 1024, 1 << 22),
            ("activation_banks", 1, 16),
            ("accumulator_depth", 32, 1 << 16),
            ("weight_fifo_bytes", 64, 1 << 20),
            ("parameter_bytes", 512, 1 << 17),
            ("axi_data_width", 32, 512),
            ("lanes", 1, self.cols),
            ("queue_depth", 2, 16),
            ("max_burst", 1, 256),
            ("read_ahead", 1, 1024),
        ):
            value = getattr(self, name)
            if not low <= value <= high or not _is_power_of_two(value):
                raise TalosError(f"config: {name}={value} must be a power of two from {low} to {high}")
        if self.multiply and not self.residual:
            raise TalosError("config: multiply=True needs residual=True (it uses its second operand); set multiply=False as well")
        if not 32 <= self.axi_addr_width <= 64:
            raise TalosError(f"config: axi_addr_width={self.axi_addr_width} must be from 32 to 64")
        if self.max_burst * self.beat_bytes > 4096:
            raise TalosError(
                f"config: max_burst={self.max_burst} beats of {self.beat_bytes} bytes exceed AXI's 4096-byte limit; lower max_burst"
            )
        if self.weight_fifo_bytes < 2 * self.rows * self.cols:
            raise TalosError(
                f"config: weight_fifo_bytes={self.weight_fifo_bytes} must hold two weight tiles ({2 * self.rows * self.cols} bytes)"
            )
        if self.rows * self.cols % self.beat_bytes:
            raise TalosError(
                f"config: axi_data_width={self.axi_data_width} is wider than a weight tile of {self.rows * self.cols} bytes; lower it"
            )
        if self.weight_fifo_bytes < 2 * self.max_burst * self.beat_bytes:
            raise TalosError(
                f"config: weight_fifo_bytes={self.weight_fifo_bytes} must hold two bursts ({2 * self.max_burst * self.beat_bytes} bytes); lower max_burst"
            )
        if self.parameter_bytes < 16 * self.cols + (1024 if self.residual else 0) + (256 if self.lookup else 0):
            raise TalosError(
                f"config: parameter_bytes={self.parameter_bytes} must hold the tables and two blocks of {self.cols} channels"
            )
        if self.activation_bytes // self.activation_banks < 4 * self.line_bytes:
            raise TalosError(
                f"config: activation_bytes={self.activation_bytes} leaves each of {self.activation_banks} banks fewer than 4 lines of {self.line_bytes} bytes"
            )
        if self.accumulator_depth < 4 * self.rows:
            raise TalosError(
                f"config: accumulator_depth={self.accumulator_depth} must be at least 4·rows = {4 * self.rows}, or weight loading cannot be hidden"
            )

    @property
    def beat_bytes(self) -> int:
        """Bytes of one AXI beat."""
        return self.axi_data_width // 8

    @property
    def line_bytes(self) -> int:
        """Bytes of one activation-memory line: the widest access of any unit."""
        return max(self.rows, self.cols, self.beat_bytes)

    @property
    def matrix_bytes(self) -> int:
        """Bytes of an activation vector: one per row, or in depthwise mode one per column."""
        return max(self.rows, self.cols) if self.depthwise else self.rows

    @property
    def psum_width(self) -> int:
        """Bits of a partial sum: `rows` products of two int8."""
        return 16 + (self.rows - 1).bit_length()

    @property
    def half_depth(self) -> int:
        """Pixels of one accumulator half."""
        return self.accumulator_depth // 2

    @property
    def peak_macs(self) -> int:
        """Multiply-accumulates per cycle."""
        return self.rows * self.cols

    @property
    def hash(self) -> str:
        """Eight hexadecimal digits that name this configuration in programs, Verilog and the identification register."""
        text = json.dumps({"isa": ISA_VERSION, **asdict(self)}, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:8]

    @property
    def name(self) -> str:
        """The preset's name, or rows×cols with the hash for any other configuration."""
        for name, preset in PRESETS.items():
            if preset == self:
                return name
        return f"{self.rows}x{self.cols}-{self.hash}"

    def replace(self, **changes: Any) -> "AcceleratorConfig":
        """A copy with `changes`, validated again."""
        return replace(self, **changes)

    def to_json(self) -> dict[str, Any]:
        """All fields as JSON values."""
        return asdict(self)

    def _repr_html_(self) -> str:
        """For notebooks."""
        return str(call_late("talos.report.notebook:config_html", self))

    @classmethod
    def from_json(cls, values: Any, source: str = "config") -> "AcceleratorConfig":
        """Inverse of `to_json`; fields left out keep their default. Raises TalosError naming `source` and the field."""
        if not isinstance(values, dict):
            raise TalosError(f"{source}: expected a JSON object of AcceleratorConfig fields")
        known = {field.name for field in fields(cls)}
        for key in values:
            if key not in known:
                raise TalosError(f"{source}: unknown field '{key}'; the fields are {', '.join(sorted(known))}")
        try:
            return cls(**values)
        except TypeError as error:
            raise TalosError(f"{source}: {str(error).split('__init__() ')[-1]}") from error
        except TalosError as error:
            raise TalosError(f"{source}: {error}") from error


PRESETS: dict[str, AcceleratorConfig] = {
    "4x4": AcceleratorConfig(
        rows=4,
        cols=4,
        activation_bytes=1 << 15,
        accumulator_depth=1024,
        weight_fifo_bytes=4096,
        parameter_bytes=4096,
        axi_data_width=32,
    ),
    "8x8": AcceleratorConfig(
        rows=8,
        cols=8,
        activation_bytes=1 << 17,
        accumulator_depth=2048,
        weight_fifo_bytes=1 << 15,
        parameter_bytes=8192,
        axi_data_width=64,
    ),
    "8x16": AcceleratorConfig(
        rows=8,
        cols=16,
        activation_bytes=1 << 17,
        accumulator_depth=2048,
        weight_fifo_bytes=1 << 15,
        parameter_bytes=8192,
        axi_data_width=128,
    ),
    "16x16": AcceleratorConfig(
        rows=16,
        cols=16,
        activation_bytes=1 << 18,
        accumulator_depth=2048,
        weight_fifo_bytes=1 << 16,
        parameter_bytes=16384,
        axi_data_width=128,
    ),
    "32x32": AcceleratorConfig(
        rows=32,
        cols=32,
        activation_bytes=1 << 20,
        accumulator_depth=2048,
        weight_fifo_bytes=1 << 17,
        parameter_bytes=32768,
        axi_data_width=256,
    ),
}


def load_config(name: str) -> AcceleratorConfig:
    """The preset called `name`, or the configuration in the JSON file of that path. Raises TalosError."""
    if name in PRESETS:
        return PRESETS[name]
    path = Path(name)
    if not path.is_file():
        raise TalosError(f"config: '{name}' is neither a preset ({', '.join(PRESETS)}) nor a JSON file")
    try:
        values = json.loads(path.read_text())
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise TalosError(f"{name}: not a readable JSON file ({error}); write one with 'talos info 8x8 --json FILE'") from error
    return AcceleratorConfig.from_json(values, name)
