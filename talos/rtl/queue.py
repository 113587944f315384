"""The instruction queue in front of a unit."""

from amaranth.hdl import unsigned

from talos.config import AcceleratorConfig
from talos.isa import Unit, unit_width
from talos.rtl.fifo import Fifo

__all__ = ["InstructionQueue"]


class InstructionQueue(Fifo):
    """`config.queue_depth` instructions of `isa.unit_width(unit)` bits; written in cycle t, head valid in t + 1."""

    def __init__(self, config: AcceleratorConfig, *, unit: Unit) -> None:
        self.config = config
        self.unit = unit
        super().__init__(shape=unsigned(unit_width(unit)), depth=config.queue_depth)
