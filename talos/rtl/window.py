"""Maximum or sum over a window, one position per cycle, all columns at once."""

from amaranth import Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["WINDOW_WIDTH", "WindowReducer"]

WINDOW_WIDTH = 24
"""Bits of a window's sum: 256 × 256 int8."""


class WindowReducer(wiring.Component):
    """`values` is the maximum or sum of the int8 `data` of this cycle and those since (and including) the last `first`.

    Parameters
    ----------
    columns : bytes of `data`.
    present : without it every window has one position, and `values` is `data`.

    Members
    -------
    valid
        `data` is a window's next position.
    sum
        Static: sum (1) or maximum (0).
    """

    def __init__(self, *, columns: int, present: bool) -> None:
        self.columns = columns
        self.present = present
        super().__init__(
            {
                "data": In(8 * columns),
                "valid": In(1),
                "first": In(1),
                "sum": In(1),
                "values": Out(data.ArrayLayout(signed(WINDOW_WIDTH), columns)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        codes = data.View(data.ArrayLayout(signed(8), self.columns), self.data)
        for c in range(self.columns):
            if not self.present:
                m.d.comb += self.values[c].eq(codes[c])
                continue
            so_far = Signal(signed(WINDOW_WIDTH), name=f"so_far_{c}", reset_less=True)
            with m.If(self.first):
                m.d.comb += self.values[c].eq(codes[c])
            with m.Elif(self.sum):
                m.d.comb += self.values[c].eq(so_far + codes[c])
            with m.Else():
                m.d.comb += self.values[c].eq(Mux(codes[c] > so_far, codes[c], so_far))
            with m.If(self.valid):
                m.d.sync += so_far.eq(self.values[c])
        return m
