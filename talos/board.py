"""A board: the core with memory on the FPGA and a UART to the host. Targets, synthesis and hardware read this one description."""

from dataclasses import dataclass
from functools import cached_property

from talos.config import AcceleratorConfig
from talos.errors import TalosError

__all__ = ["OSCILLATOR_MHZ", "Board", "Pll"]

OSCILLATOR_MHZ = 25
"""Of the ULX3S."""

_VCO_MHZ = (400, 800)  # ECP5 and ECP5-5G family data sheet, sysCLOCK PLL timing
_LOWEST_INPUT_MHZ = 10  # of the phase detector


@dataclass(frozen=True)
class Pll:
    """Dividers of an EHXPLLL with its first output in the feedback: clock = oscillator · feedback / input."""

    input: int
    feedback: int
    output: int


@dataclass(frozen=True, kw_only=True)
class Board:
    """The core of `config` at `clock_mhz`, `ram_bytes` of memory for everything it reads and writes, and a UART of `baud`.

    clock_mhz: 25 (the oscillator itself), or a multiple of 12.5 up to 200. timeout_seconds: the hardware drops a frame with so long a gap.
    """

    config: AcceleratorConfig
    clock_mhz: float = 50.0
    ram_bytes: int = 128 << 10
    baud: int = 1_000_000
    timeout_seconds: float = 0.1

    def __post_init__(self) -> None:
        if not 12.5 <= self.clock_mhz <= 200 or self.clock_mhz % 12.5:
            raise TalosError(
                f"board: a clock of {self.clock_mhz:g} MHz cannot be made here; choose a multiple of 12.5 from 12.5 to 200"
            )
        if self.ram_bytes < 4096 or self.ram_bytes % 4096 or self.ram_bytes > 1 << 24:
            raise TalosError(f"board: memory of {self.ram_bytes} bytes must be a multiple of 4096, at most {1 << 24}")
        if self.divisor < 4 or abs(self.clock_hz / self.divisor / self.baud - 1) > 0.02:
            raise TalosError(
                f"board: {self.baud} baud cannot be made from {self.clock_mhz:g} MHz within 2 %; choose a baud rate that divides it"
            )

    @property
    def clock_hz(self) -> int:
        """The core's clock."""
        return round(self.clock_mhz * 1e6)

    @property
    def divisor(self) -> int:
        """Clock cycles per bit of the UART."""
        return round(self.clock_hz / self.baud)

    @property
    def timeout_cycles(self) -> int:
        """Clock cycles after which an unfinished frame is dropped."""
        return round(self.clock_hz * self.timeout_seconds)

    @cached_property
    def pll(self) -> Pll | None:
        """How the clock is made; None if it is the oscillator's."""
        if self.clock_mhz == OSCILLATOR_MHZ:
            return None
        divider = 1 if self.clock_mhz % OSCILLATOR_MHZ == 0 else 2
        assert OSCILLATOR_MHZ / divider >= _LOWEST_INPUT_MHZ
        output = int(_VCO_MHZ[1] // self.clock_mhz)
        assert self.clock_mhz * output >= _VCO_MHZ[0]
        return Pll(divider, round(self.clock_mhz * divider / OSCILLATOR_MHZ), output)
