"""The end of a requantization lane: from the 52-bit fixed-point sum to an int8 code."""

from functools import reduce
from operator import or_

from amaranth import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from talos.rtl.pipeline import delay

__all__ = ["ROUND", "SUM_WIDTH", "Rounder"]

ROUND = 8
"""Cycles from the sum to the code."""

SUM_WIDTH = 52

_SIGNIFICANT = 24
_WHOLE = 8  # bits: from 2^8 on every value saturates
_FRACTION = 26  # bits: half of the last of 24 significant bits, if the value is just below 1/2
_PLACED = _WHOLE + _FRACTION
_FINE = 7  # the coarse shift leaves up to this many places to the fine one
# A sum without any shift stands this far above the least bit placed: an exponent of 0 is a shift by 2^(_LEFT − _FRACTION) to the left,
# beyond saturation; one of 2^6 puts all of it below 1/4.
_LEFT = 35


class Rounder(wiring.Component):
    """`numerics._rounding.finish`: sum · 2^-shift rounded to 24 significant bits, then to an integer, plus zero point, clamped.

    The sum is put in front of a binary point at once, and both roundings happen there. They differ from a single one only close to the
    middle between two integers: where the 24 kept bits end in exactly 1/2, the value counts as a tie. How far the kept bits reach below
    the point follows from the highest bit above it.

    Members
    -------
    sum : signed, SUM_WIDTH bits
    exponent : signed
        shift + 9; in the cycle of the sum.
    zero_point, low, high
        Belonging to the same sum, 5 cycles later than it.
    code : signed(8)
        ROUND cycles after the sum.
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "sum": In(signed(SUM_WIDTH)),
                "exponent": In(signed(11)),
                "zero_point": In(signed(8)),
                "low": In(signed(8)),
                "high": In(signed(8)),
                "code": Out(signed(8)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        negative = delay(m, self.sum[-1], 6, "negative")
        flipped = Signal(SUM_WIDTH, reset_less=True)
        magnitude = Signal(SUM_WIDTH, reset_less=True)
        m.d.sync += [flipped.eq(self.sum ^ self.sum[-1].replicate(SUM_WIDTH)), magnitude.eq(flipped + negative[1])]

        # An exponent outside of 0 … 63 decides by itself.
        place = delay(m, self.exponent[:6], 3, "place")
        below = delay(m, self.exponent[-1], 3, "below")[3]
        above = delay(m, ~self.exponent[-1] & self.exponent[6:-1].any(), 3, "above")[3]
        window, lost, huge = self._elaborate_coarse(m, magnitude, place[2][3:], place[3][3:])

        placed = Signal(_PLACED, reset_less=True)
        sticky = Signal(reset_less=True)
        nothing = Signal(reset_less=True)
        saturated = Signal(reset_less=True)
        fine = place[3][:3]
        low_bits = Value.cast((Const((1 << _FINE) - 1, _FINE) << fine)[_FINE:])
        kept_high = Value.cast((Const((1 << _FINE) - 1, _FINE) << fine)[:_FINE])
        m.d.sync += [
            placed.eq(window >> fine),
            sticky.eq(lost | (window[:_FINE] & low_bits).any()),
            saturated.eq(~above & (huge | (window[_PLACED:] & kept_high).any() | (below & (lost | window.any())))),
            nothing.eq(above),
        ]
        whole, up = self._elaborate_ties(m, placed, sticky, nothing, saturated)
        self._elaborate_code(m, whole, up, negative[6])
        return m

    def _elaborate_coarse(self, m: Module, magnitude: Signal, amount: Value, amount_later: Value) -> tuple[Signal, Value, Value]:
        """The bits that the fine shift may place, shifted by multiples of 8; and one cycle later, with `amount_later`: whether there are
        any below them, and above them."""
        width = _PLACED + _FINE
        window = Signal(width, reset_less=True)
        m.d.sync += window.eq(Cat(Const(0, _LEFT), magnitude) >> Cat(Const(0, 3), amount))
        # A shift by 8·i moves groups 0 … i of the low bits out at the bottom, groups i … 7 of the high ones do not fit in at the top.
        below: list[Value] = []
        above: list[Value] = []
        for i in range(8):
            bottom = [max(8 * j - _LEFT, 0) for j in (i - 1, i)]
            top = [8 * j - _LEFT + width for j in (i, i + 1)]
            for groups, name, part, inside in (
                (below, "below", magnitude[bottom[0] : bottom[1]], amount_later >= i),
                (above, "above", magnitude[top[0] : top[1]], amount_later <= i),
            ):
                if len(part):
                    group = Signal(name=f"{name}_{i}", reset_less=True)
                    m.d.sync += group.eq(part.any())
                    groups.append(group & inside)
        return window, reduce(or_, below), reduce(or_, above)

    def _elaborate_ties(
        self, m: Module, placed: Signal, sticky: Signal, nothing: Signal, saturated: Signal
    ) -> tuple[Signal, Signal]:
        """The integer below the value, and whether the value rounds to the next one."""
        whole_part = placed[_FRACTION:]
        fraction = [Const(0, 1), *(placed[_FRACTION - i] for i in range(1, _FRACTION + 1))]  # bit i has the weight 2^-i
        rest = [Value.cast(sticky)]  # any bit from i on, from the end backwards
        for i in reversed(range(1, _FRACTION + 1)):
            rest.insert(0, rest[0] | fraction[i])
        rest.insert(0, Const(0, 1))

        # cut[i]: bit i is not among the 24 kept ones, because the highest bit of the value has at least the weight 2^(24 − i).
        first_cut = _SIGNIFICANT - _WHOLE + 1
        cut: dict[int, Value] = {i: Const(0, 1) for i in range(first_cut)}
        cut |= {i: whole_part[_SIGNIFICANT - i :].any() for i in range(first_cut, _SIGNIFICANT + 1)}
        cut[_SIGNIFICANT + 1] = whole_part.any() | fraction[1]
        cut[_SIGNIFICANT + 2] = Const(1, 1)
        last_cut = _SIGNIFICANT + 2
        assert last_cut == _FRACTION

        def held(value: Value, name: str) -> Signal:
            register = Signal(value.shape(), name=name, reset_less=True)
            m.d.sync += register.eq(value)
            return register

        cuts = {i: held(value, f"cut_{i}") if first_cut <= i < last_cut else value for i, value in cut.items()}
        bits = {i: held(fraction[i], f"bit_{i}") for i in range(first_cut, last_cut + 1)}
        rests = {i: held(rest[i], f"rest_{i}") for i in range(first_cut + 1, last_cut + 2)}
        half = held(fraction[1], "half")
        zeros = held(~Cat(fraction[2:first_cut]).any(), "zeros")
        ones = held(Cat(fraction[2:first_cut]).all(), "ones")
        integer = held(whole_part, "integer")
        nothing_held, saturated_held = held(nothing, "nothing_held"), held(saturated, "saturated_held")

        # Down to a tie: no kept bit below the half, and what is cut off is at most half of the last kept bit (which is 0, so even).
        over = reduce(or_, (bits[i] & (~cuts[i] | (~cuts[i - 1] & rests[i + 1])) for i in bits))
        # Up to a tie: all kept bits are ones, and so is the first that is cut off (the last kept bit is odd).
        under = reduce(or_, (~bits[i] & ~cuts[i - 1] for i in bits))
        tie = Mux(half, zeros & ~over, ones & ~under)
        whole = Signal(_WHOLE + 1, reset_less=True)
        up = Signal(reset_less=True)
        m.d.sync += [
            whole.eq(Mux(saturated_held, 1 << _WHOLE, Mux(nothing_held, 0, integer))),
            up.eq(Mux(tie, integer[0], half) & ~saturated_held & ~nothing_held),
        ]
        return whole, up

    def _elaborate_code(self, m: Module, whole: Signal, up: Signal, sign: Value) -> None:
        """±(whole + up) + zero point, clamped."""
        zero_point = Signal(signed(8), reset_less=True)
        over_low = Signal(signed(9), reset_less=True)
        over_high = Signal(signed(9), reset_less=True)
        m.d.sync += [
            zero_point.eq(self.zero_point),
            over_low.eq(self.zero_point - self.low),
            over_high.eq(self.zero_point + ~self.high),
        ]

        # −(whole + up) = ~whole + (1 − up): one adder for the rounding, the sign and the zero point. The comparisons with the bounds
        # are two more of that kind beside it: value < low if value − low is negative, value > high if value − high − 1 is not.
        flipped = Signal(signed(_WHOLE + 2))
        value = Signal(signed(_WHOLE + 3), reset_less=True)
        m.d.comb += flipped.eq(Cat(whole, Const(0, 1)) ^ sign.replicate(_WHOLE + 2))
        above_low = Signal.like(value, reset_less=True)
        above_high = Signal.like(value, reset_less=True)
        one = Signal()
        m.d.comb += one.eq(sign ^ up)
        for register, offset in ((value, zero_point), (above_low, over_low), (above_high, over_high)):
            m.d.sync += register.eq(add_carry(flipped, offset, one))

        low = delay(m, self.low, 2, "low")[2]
        high = delay(m, self.high, 2, "high")[2]
        code = Signal(signed(8), reset_less=True)
        m.d.sync += code.eq(Mux(above_low[-1], low, Mux(above_high[-1], value, high)))
        m.d.comb += self.code.eq(code)


def add_carry(a: Value, b: Value, carry: Value) -> Value:
    """a + b + carry, signed, in one carry chain: a bit below the operands makes the carry."""
    return (Cat(carry, a).as_signed() + Cat(carry, b).as_signed())[1:].as_signed()
