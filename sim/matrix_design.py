"""The matrix unit with what the core's queue puts beside an instruction: the counts, decoded."""

from amaranth import Module
from amaranth.lib import wiring

from talos.config import AcceleratorConfig
from talos.rtl.matrix import MatrixUnit, decode_counts

__all__ = ["MatrixDesign"]


class MatrixDesign(wiring.Component):
    """`MatrixUnit` without its port `counts`, which is made of the instruction offered."""

    def __init__(self, config: AcceleratorConfig) -> None:
        self._unit = MatrixUnit(config=config)
        super().__init__({name: member for name, member in self._unit.signature.members.items() if name != "counts"})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.unit = unit = self._unit
        m.d.comb += unit.counts.eq(decode_counts(self.instr.payload))
        for name, member in self.signature.members.items():
            outer, inner = getattr(self, name), getattr(unit, name)
            if member.is_signature:
                wiring.connect(m, wiring.flipped(outer), inner)
            else:
                m.d.comb += inner.eq(outer) if member.flow == wiring.In else outer.eq(inner)
        return m
