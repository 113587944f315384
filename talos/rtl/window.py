"""Maximum or sum over a window, one position per cycle, all columns at once."""

from amaranth import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["WINDOW_WIDTH", "WindowReducer"]

WINDOW_WIDTH = 24
"""Bits of a window's sum: 256 × 256 int8."""


class WindowReducer(wiring.Component):
    """`values` is the maximum or sum of the int8 `data` of this cycle and those of the window so far.

    A sum begins with 0, left behind by the window before; a maximum takes its first position whatever there is. Of a maximum only the
    low byte is given; what is above it is the sum's.

    Parameters
    ----------
    columns : bytes of `data`.
    present : without it every window has one position, and `values` is `data`.

    Members
    -------
    valid
        `data` is a window's next position.
    first, last
        With `valid`: it is the window's first, or last.
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
                "last": In(1),
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
            so_far = Signal(signed(WINDOW_WIDTH), name=f"so_far_{c}")
            total = Signal(signed(WINDOW_WIDTH), name=f"total_{c}")
            maximum = Signal(signed(8), name=f"maximum_{c}")
            low = so_far[:8].as_signed()
            m.d.comb += [
                total.eq(so_far + codes[c]),
                maximum.eq(Mux(self.first | (codes[c] > low), codes[c], low)),
                self.values[c].eq(Cat(Mux(self.sum, total[:8], maximum[:8]), total[8:])),
            ]
            with m.If(self.last):
                m.d.sync += so_far.eq(0)
            with m.Elif(self.valid):
                m.d.sync += so_far.eq(self.values[c])
        return m
