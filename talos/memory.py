"""Timing of the DRAM behind the core's AXI4 master.

One description, two implementations that agree to the cycle: `talos/runtime/harness/axi_memory.h` (values and timing, next to
the generated Verilog) and `talos/model/timing/memory.py` (timing only, next to the cycle model). The behaviour itself is
written down there; this module holds its parameters.
"""

from dataclasses import dataclass, fields

from talos.errors import TalosError

__all__ = ["MAX_OUTSTANDING", "MemoryTiming"]

MAX_OUTSTANDING = 256
"""Bursts in flight that the implementations have room for, in each direction."""

_LIMITS = {
    "latency": (0, 1_000_000),
    "bytes_per_cycle": (0, 64),
    "outstanding": (1, MAX_OUTSTANDING),
    "stall": (0, 248),
    "seed": (1, 2**32 - 1),
}


@dataclass(frozen=True, kw_only=True)
class MemoryTiming:
    """How fast the DRAM answers. Reads and writes have separate, equal bandwidth.

    latency: cycles from the address handshake to the first read beat, and from the last write beat to the response.
    bytes_per_cycle: bandwidth of each direction; 0 means one AXI beat per cycle, the most the bus can carry.
    outstanding: bursts accepted and not yet answered, per direction, before the address channel stops.
    stall: probability out of 256, in steps of 8, that a channel pauses in a cycle; 0 never pauses.
    seed: start of the generator that decides the pauses, not 0.
    """

    latency: int = 64
    bytes_per_cycle: int = 0
    outstanding: int = 16
    stall: int = 0
    seed: int = 1

    def __post_init__(self) -> None:
        """Raise TalosError for a value that is not an integer in its range."""
        for name, (low, high) in _LIMITS.items():
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
                raise TalosError(f"memory timing: {name}={value!r} is not an integer from {low} to {high}")
        if self.stall % 8:
            raise TalosError(f"memory timing: stall={self.stall} is not a multiple of 8; try {self.stall // 8 * 8}")

    @classmethod
    def parse(cls, text: str) -> "MemoryTiming":
        """Read `latency=64,bytes_per_cycle=8,outstanding=8`; what is not named keeps its default. TalosError if malformed."""
        known = [field.name for field in fields(cls)]
        values: dict[str, int] = {}
        for item in filter(None, (part.strip() for part in text.split(","))):
            name, separator, value = (part.strip() for part in item.partition("="))
            if not separator or name not in known:
                raise TalosError(f"memory timing: cannot read {item!r}; write NAME=NUMBER with a NAME from {', '.join(known)}")
            if name in values:
                raise TalosError(f"memory timing: {name} is given twice; give it once")
            try:
                values[name] = int(value, 0)
            except ValueError:
                raise TalosError(f"memory timing: {name}={value!r} is not an integer; write for example {name}=8") from None
        return cls(**values)

    def beat_credit(self, beat_bytes: int) -> int:
        """Bytes of transfer credit a direction gains per cycle on a bus of `beat_bytes`: at most one beat."""
        return min(self.bytes_per_cycle, beat_bytes) or beat_bytes

    def __str__(self) -> str:
        """The form that `parse` reads."""
        return ",".join(f"{field.name}={getattr(self, field.name)}" for field in fields(self))
