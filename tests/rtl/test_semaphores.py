"""The semaphores against the cycle model's, every output in every cycle."""

import random

from amaranth.hdl import ResetInserter, Signal
from amaranth.sim import Simulator

from talos.isa import SYNC_UNITS, Unit
from talos.model.timing.control import (
    SEMAPHORE_MAXIMUM,
    SLOT,
    semaphores_post,
    semaphores_ready,
    semaphores_state,
    semaphores_take,
)
from talos.rtl.semaphores import Semaphores

COUNT = len(SYNC_UNITS)


def run(stimulus):
    """Drive RTL and model with (done, post[4], wait[4], want[4]) per cycle, up to an overflow; a unit starts if it wants and is ready.

    Returns the number of starts and the mask of the overflow."""
    dut = Semaphores()
    model = semaphores_state()
    overflows = starts = 0
    clear = Signal()

    async def bench(ctx):
        nonlocal overflows, starts
        ready, start = [False] * COUNT, []
        for cycle, (done, post, wait, want) in enumerate(stimulus):
            start = [w for w in range(COUNT) if want[w] and ready[w] and w not in start]
            first = stimulus[min(cycle + 1, len(stimulus) - 1)][2]
            later = [semaphores_ready(model, w, first[w]) for w in range(COUNT)]
            for unit in range(COUNT):
                ctx.set(dut.first[unit], first[unit])
                ctx.set(dut.wait[unit], wait[unit])
                ctx.set(dut.post[unit], post[unit])
            ctx.set(dut.done, done)
            ctx.set(dut.start, sum(1 << w for w in start))
            assert ctx.get(dut.ready) == sum(r << w for w, r in enumerate(ready)), cycle
            for w in start:
                semaphores_take(model, w, wait[w])
            overflow = sum(semaphores_post(model, p, post[p]) << p for p in range(COUNT) if done >> p & 1)
            assert not ctx.get(dut.overflow), cycle
            ready = later
            starts += len(start)
            await ctx.tick()
            if overflow:
                overflows = overflow
                break
        ctx.set(dut.start, 0)
        ctx.set(dut.done, 0)
        assert not ctx.get(dut.overflow)
        await ctx.tick()
        assert ctx.get(dut.overflow) == overflows
        ctx.set(clear, 1)
        await ctx.tick()
        for w in range(COUNT):
            ctx.set(dut.first[w], 1 << SLOT[Unit.LOAD])
        await ctx.tick()
        assert ctx.get(dut.ready) == 0

    sim = Simulator(ResetInserter(clear)(dut))
    sim.add_clock(1e-6)
    sim.add_testbench(bench)
    sim.run()
    assert model.min() >= 0 and model.max() <= SEMAPHORE_MAXIMUM
    return starts, overflows


def masks(rng):
    return [rng.choice([0, 1 << rng.randrange(COUNT), rng.randrange(1 << COUNT)]) for _ in range(COUNT)]


def test_random_posts_and_takes():
    rng = random.Random(1)
    stimulus = [(rng.randrange(1 << COUNT), masks(rng), masks(rng), [rng.random() < 0.7] * COUNT) for _ in range(800)]
    starts, overflows = run(stimulus)
    assert starts > 400 and not overflows


def test_a_post_at_255_overflows_unless_one_is_taken_in_the_same_cycle():
    all_bits = (1 << COUNT) - 1
    fill = [(0b0010, [0, 0b1000, 0, 0], [0] * COUNT, [False] * COUNT)] * SEMAPHORE_MAXIMUM
    post_and_take = (0b0010, [0, 0b1000, 0, 0], [0, 0, 0, 0b0010], [False, False, False, True])
    assert run([*fill, post_and_take]) == (1, 0)
    assert run([*fill, fill[0]]) == (0, 0b0010)
    assert run([*fill, (all_bits, [0b1000] * COUNT, [0] * COUNT, [False] * COUNT)]) == (0, 0b0010)


def test_a_post_releases_its_waiter_in_the_second_cycle_after_it():
    post = (1, [0b0010, 0, 0, 0], [0, 0b0001, 0, 0], [False, True, False, False])
    wait = (0, [0] * COUNT, [0, 0b0001, 0, 0], [False, True, False, False])
    assert run([post]) == (0, 0)
    assert run([post, wait]) == (0, 0)
    assert run([post, wait, wait]) == (1, 0)
    assert run([post, wait, wait, wait, wait]) == (1, 0)
