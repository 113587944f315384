"""One processing element of the weight-stationary array."""

from amaranth import Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from talos.rtl.multiplier import MULTIPLIER_LATENCY, Multiplier

__all__ = ["PE", "PE_LATENCY", "psum_width", "wavefront"]

PE_LATENCY = 1 + MULTIPLIER_LATENCY + 1 + 1
"""Cycles from a PE's activation input to its partial sum: operand, multiplier, product and sum registers."""


def psum_width(row: int) -> int:
    """Bits of the partial sum below `row` (0 on top): row + 1 products, each at most 2^14 in magnitude."""
    return 16 + row.bit_length()


def wavefront(*, depthwise: bool) -> data.StructLayout:
    """What moves right along a row of PEs, one column per cycle; `down` (with `depthwise`): multiply what comes from above."""
    return data.StructLayout({"act": signed(8), "switch": 1, "strobe": 1, **({"down": 1} if depthwise else {})})


class PE(wiring.Component):
    """Multiplies the activation that passes by with its active weight and adds the product to the passing partial sum.

    ::

                  i_down          i_weight   i_psum
                    │                │         │
                 [below]──┐          │         │
                    │     ▼          │         │
        i_front ──[front] mux ─────────────────────────────▶ o_front
                    │      │      [weight]     │
                    │      │      [shadow]     │
                    │      │      [active]     │
                    │      └────────▶ × [product]─▶ + [psum]
                 [lower]             │                 │
                  o_down         o_weight            o_psum

    A weight word moves down one row per cycle; where `strobe` arrives together with it, it is captured in the shadow weight.
    Where `switch` arrives, the shadow becomes the active weight, from this wavefront's activation on. A strobe in the cycle of
    a switch already belongs to the weights after that.

    With `depthwise` activations also move down, two registers per row, and a wavefront whose `down` is 1 multiplies what comes
    from above in the cycle in which it arrives. Partial sums move down one row per cycle, so row r adds the activation of r
    wavefronts ago.

    Parameters
    ----------
    row : position from the top; sets the width of the partial sums.
    depthwise : activations can come from above. Without it, i_down and o_down do not exist.

    Members
    -------
    i_front : In(wavefront); o_front : Out(wavefront)
        o_front is i_front of the cycle before.
    i_down : In(signed(8)); o_down : Out(signed(8))
        o_down is i_down of two cycles before.
    i_weight : In(signed(8)); o_weight : Out(signed(8))
        o_weight is i_weight of the cycle before.
    i_psum : In(signed); o_psum : Out(signed(psum_width(row)))
        o_psum is i_psum of the cycle before plus the product of i_front.act (or i_down) of PE_LATENCY cycles before.
    """

    def __init__(self, *, row: int, depthwise: bool) -> None:
        self.row = row
        self.depthwise = depthwise
        self._wavefront = wavefront(depthwise=depthwise)
        super().__init__(
            {
                "i_front": In(self._wavefront),
                "o_front": Out(self._wavefront),
                **({"i_down": In(signed(8)), "o_down": Out(signed(8))} if depthwise else {}),
                "i_weight": In(signed(8)),
                "o_weight": Out(signed(8)),
                "i_psum": In(signed(psum_width(max(row - 1, 0)))),
                "o_psum": Out(signed(psum_width(row))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        front = Signal(self._wavefront, reset_less=True)
        weight = Signal(signed(8), reset_less=True)
        shadow = Signal(signed(8), reset_less=True)
        active = Signal(signed(8), reset_less=True)
        product = Signal(signed(16), reset_less=True)  # in fabric, halfway between a DSP block and the adder
        psum = Signal(signed(psum_width(self.row)), reset_less=True)

        m.d.sync += [front.eq(self.i_front), weight.eq(self.i_weight)]
        with m.If(self.i_front.strobe):
            m.d.sync += shadow.eq(self.i_weight)
        with m.If(self.i_front.switch):
            m.d.sync += active.eq(shadow)

        operand = front.act
        if self.depthwise:
            below = Signal(signed(8), reset_less=True)
            lower = Signal(signed(8), reset_less=True)
            m.d.sync += [below.eq(self.i_down), lower.eq(below)]
            m.d.comb += self.o_down.eq(lower)
            operand = Mux(front.down, below, front.act)

        m.submodules.multiplier = multiplier = Multiplier(width=8)
        m.d.comb += [multiplier.i_a.eq(operand), multiplier.i_b.eq(active)]
        m.d.sync += [product.eq(multiplier.o_product), psum.eq(self.i_psum + product)]

        m.d.comb += [self.o_front.eq(front), self.o_weight.eq(weight), self.o_psum.eq(psum)]
        return m
