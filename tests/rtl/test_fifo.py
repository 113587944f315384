"""The small queue and the skid buffer against a deque, every output in every cycle."""

import random
from collections import deque

import pytest
from amaranth.hdl import unsigned
from amaranth.sim import Simulator

from talos.config import PRESETS
from talos.isa import Unit, unit_width
from talos.rtl.fifo import Fifo
from talos.rtl.queue import InstructionQueue, LazyFifo
from talos.rtl.skid import SkidBuffer


def check(dut, depth, seed, *, offered, taken, cycles=400):
    """Random traffic with the probabilities `offered` and `taken`; returns the number of entries that left.

    A lazy queue offers an entry only if it held one in the cycle before that did not leave then."""
    rng = random.Random(seed)
    stored = deque()
    left = 0
    lazy = isinstance(dut, LazyFifo)
    held = False

    async def bench(ctx):
        nonlocal left, held
        for cycle in range(cycles):
            valid, ready, payload = rng.random() < offered, rng.random() < taken, rng.randrange(1 << 16)
            ctx.set(dut.i.valid, valid)
            ctx.set(dut.i.payload, payload)
            ctx.set(dut.o.ready, ready)
            level = ctx.get(dut.level) if isinstance(dut, SkidBuffer) else ctx.get(dut.filled).bit_count()
            head = bool(stored) and (held or not lazy)
            assert level == len(stored), cycle
            assert ctx.get(dut.i.ready) == (len(stored) < depth), cycle
            assert ctx.get(dut.o.valid) == head, cycle
            if lazy and stored:
                assert ctx.get(dut.first) == stored[0], cycle
            if head:
                assert ctx.get(dut.o.payload) == stored[0], cycle
            accepted = valid and len(stored) < depth
            held = bool(stored) and not (ready and head)
            if ready and head:
                stored.popleft()
                left += 1
            if accepted:
                stored.append(payload)
            await ctx.tick()

    sim = Simulator(dut)
    sim.add_clock(1e-6)
    sim.add_testbench(bench)
    sim.run()
    return left


@pytest.mark.parametrize("depth", [2, 3, 5, 8])
def test_fifo_keeps_order_and_level(depth):
    for seed, (offered, taken) in enumerate([(0.5, 0.5), (0.9, 0.4), (0.3, 0.9)]):
        assert check(Fifo(shape=unsigned(16), depth=depth), depth, seed, offered=offered, taken=taken) > 80


def test_fifo_moves_one_entry_per_cycle():
    assert check(Fifo(shape=unsigned(16), depth=2), 2, 0, offered=1, taken=1, cycles=100) == 99


@pytest.mark.parametrize("depth", [2, 3, 8])
def test_lazy_fifo_keeps_order_and_level(depth):
    for seed, (offered, taken) in enumerate([(0.5, 0.5), (0.9, 0.4), (0.3, 0.9)]):
        assert check(LazyFifo(shape=unsigned(16), depth=depth), depth, seed, offered=offered, taken=taken) > 80


def test_lazy_fifo_moves_an_entry_every_other_cycle():
    assert check(LazyFifo(shape=unsigned(16), depth=2), 2, 0, offered=1, taken=1, cycles=100) == 49


def test_skid_buffer_keeps_order_and_level():
    for seed, (offered, taken) in enumerate([(0.5, 0.5), (0.9, 0.4), (0.3, 0.9)]):
        assert check(SkidBuffer(shape=unsigned(16)), 2, seed, offered=offered, taken=taken) > 80


def test_skid_buffer_moves_one_entry_per_cycle():
    assert check(SkidBuffer(shape=unsigned(16)), 2, 0, offered=1, taken=1, cycles=100) == 99


def test_instruction_queue_has_the_units_width_and_the_configured_depth():
    config = PRESETS["4x4"].replace(queue_depth=4)
    queue = InstructionQueue(config, unit=Unit.VECTOR)
    assert len(queue.o.payload) == unit_width(Unit.VECTOR)
    assert check(queue, 4, 7, offered=0.8, taken=0.5) > 80
