"""The rounder alone against `numerics._rounding.finish`: sums and exponents that no instruction makes too."""

import numpy as np
import pytest
from amaranth.sim import Simulator

from talos.numerics._rounding import finish
from talos.rtl.rounder import ROUND, SUM_WIDTH, Rounder

_BEYOND = 1 << (SUM_WIDTH - 1)


def near_ties(rng, count):
    """Sums and shifts of values around k + 1/2 for every size of k: at the tie, at either end of what rounds to it, and beside them."""
    shift = rng.integers(0, 52, count)
    whole = rng.integers(0, 1 << rng.integers(0, 9, count))
    tie = (2 * whole + 1).astype(object) << shift
    values = []
    for n in range(count):
        exact = tie[n] >> 1
        last = max(exact.bit_length() - 24, 0)  # the place of the last kept bit
        step = (1 << last >> 1) * int(rng.choice([0, 1, 1, 2])) + int(rng.integers(-1, 2))
        values.append(exact + int(rng.choice([-1, 1])) * step)
    return np.array([min(max(v, 0), _BEYOND - 1) for v in values], np.int64), shift


def anything(rng, count):
    """Sums of every length, with exponents from beyond one end to beyond the other."""
    total = np.array([int(rng.integers(0, 1 << 62)) >> int(rng.integers(11, 62)) for _ in range(count)], np.int64)
    return total, rng.integers(-300, 300, count)


def small_sums(rng, count):
    """Few bits, and exponents at which they begin to saturate."""
    return rng.integers(0, 1 << rng.integers(0, 12, count)).astype(np.int64), rng.integers(-14, 14, count)


@pytest.mark.parametrize("make", [near_ties, anything, small_sums])
def test_rounder_equals_finish(make):
    rng = np.random.default_rng(sum(make.__name__.encode()))
    count = 2500
    total, shift = make(rng, count)
    total *= rng.choice([-1, 1], count)
    total[:4], shift[:4] = (0, 0, -_BEYOND, -_BEYOND), (-20, 60, 44, 53)
    zero, low, high = -7, -120, 113
    expected = finish(total, shift, zero, low, high)
    dut = Rounder()

    async def bench(ctx):
        ctx.set(dut.zero_point, zero)
        ctx.set(dut.low, low)
        ctx.set(dut.high, high)
        seen = []
        for t in range(count + ROUND):
            if t < count:
                ctx.set(dut.sum, int(total[t]))
                ctx.set(dut.exponent, int(shift[t]) + 9)
            if t >= ROUND:
                seen.append(ctx.get(dut.code))
            await ctx.tick()
        wrong = np.flatnonzero(np.array(seen) != expected)
        assert not wrong.size, [(int(total[n]), int(shift[n]), seen[n], int(expected[n])) for n in wrong[:5]]

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
