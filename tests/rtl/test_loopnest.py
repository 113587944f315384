"""The loop nest against nested Python loops."""

import itertools
import random

import pytest
from amaranth.sim import Simulator

from talos.rtl.loopnest import LoopNest

WIDTH = 12


def elements(base, counts, strides):
    """Address, firsts, lasts of each element, innermost level 0."""
    for index in itertools.product(*(range(count) for count in reversed(counts))):
        index = index[::-1]
        address = base + sum(i * s for i, s in zip(index, strides, strict=True))
        firsts = sum((i == 0) << n for n, i in enumerate(index))
        lasts = sum((i == count - 1) << n for n, (i, count) in enumerate(zip(index, counts, strict=True)))
        yield address % (1 << WIDTH), firsts, lasts


@pytest.mark.parametrize("levels", [1, 2, 4, 6])
def test_walks_nests_back_to_back(levels):
    rng = random.Random(levels)
    widths = [4, 3, 3, 2, 2, 2][:levels]
    stride_widths = [6, 9, 0, 7, 8, 5][:levels]
    nests = []
    for _ in range(25):
        counts = [rng.choice([1, 1, 2, rng.randint(1, 1 << (width - 1))]) for width in widths]
        strides = [rng.randrange(-(1 << (w - 1)), 1 << (w - 1)) if w else 0 for w in stride_widths]
        nests.append((rng.randrange(1 << WIDTH), counts, strides))
    expected = [(n, *element) for n, nest in enumerate(nests) for element in elements(*nest)]

    dut = LoopNest(address_width=WIDTH, count_widths=widths, stride_widths=stride_widths)
    seen = []
    cycles = 0

    async def bench(ctx):
        nonlocal cycles

        def load(nest):
            base, counts, strides = nest
            ctx.set(dut.load, 1)
            ctx.set(dut.follow, 1)
            ctx.set(dut.ones, sum((count == 1) << i for i, count in enumerate(counts)))
            ctx.set(dut.twos, sum((count == 2) << i for i, count in enumerate(counts)))
            ctx.set(dut.base, base)
            for i in range(levels):
                ctx.set(getattr(dut, f"count_{i}"), counts[i] - 1)
                if stride_widths[i]:
                    ctx.set(getattr(dut, f"stride_{i}"), strides[i])

        load(nests[0])
        await ctx.tick()
        for n in range(len(nests)):
            while True:
                ctx.set(dut.load, 0)
                # At the last element counts and strides may be taken ahead of the load, from whatever is there.
                follow = ctx.get(dut.last) and rng.random() < 0.5
                ctx.set(dut.follow, follow)
                if follow:
                    ctx.set(dut.ones, rng.randrange(1 << levels))
                step = rng.random() < 0.8
                ctx.set(dut.step, step)
                seen_now = (n, ctx.get(dut.address), ctx.get(dut.firsts), ctx.get(dut.lasts))
                assert ctx.get(dut.first) == (seen_now[2] == (1 << levels) - 1)
                last = ctx.get(dut.last)
                assert last == (seen_now[3] == (1 << levels) - 1)
                if step:
                    seen.append(seen_now)
                    cycles += 1
                    if last and n + 1 < len(nests):
                        load(nests[n + 1])
                await ctx.tick()
                if step and last:
                    break

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    assert seen == expected
    assert cycles == len(expected)  # one element for every step: no bubble within a nest or between nests
