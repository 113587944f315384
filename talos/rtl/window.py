"""Maximum or sum over a window, one position per cycle, all columns at once."""

from amaranth import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["WINDOW_WIDTH", "WindowReducer"]

WINDOW_WIDTH = 24
"""Bits of a window's sum: 256 × 256 int8."""


class WindowReducer(wiring.Component):
    """`values` is, WINDOW cycles after a position, the maximum or sum of the int8 `data` of its window up to it.

    Of a maximum only the low byte is given; what is above it is the sum's.

    Parameters
    ----------
    columns : bytes of `data`.
    present : without it every window has one position, and `values` is its `data`.

    Members
    -------
    valid
        `data` is a window's next position.
    first
        With `valid`: it is the window's first.
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
        codes = Signal(data.ArrayLayout(signed(8), self.columns), reset_less=True)
        valid = Signal()
        first = Signal(reset_less=True)
        m.d.sync += [codes.eq(self.data), valid.eq(self.valid), first.eq(self.first)]
        for c in range(self.columns):
            so_far = Signal(signed(WINDOW_WIDTH if self.present else 8), name=f"so_far_{c}", reset_less=True)
            m.d.comb += self.values[c].eq(so_far)
            if not self.present:
                m.d.sync += so_far.eq(codes[c])
                continue
            total = Signal(signed(WINDOW_WIDTH), name=f"total_{c}")
            low = so_far[:8].as_signed()
            takes = Signal(name=f"takes_{c}")
            m.d.comb += [
                total.eq(Mux(first, 0, so_far) + codes[c]),
                takes.eq(first | (codes[c] > low)),
            ]
            with m.If(valid):
                m.d.sync += so_far.eq(Cat(Mux(self.sum, total[:8], Mux(takes, codes[c], low)[:8]), total[8:]))
        return m
