"""The accumulators against an array in NumPy: overwriting and adding accesses, and drain reads in between."""

import numpy as np
from amaranth.hdl import Value
from amaranth.sim import Simulator

from talos.config import PRESETS
from talos.latency import ACC_READ, ACC_SUMS, RMW
from talos.rtl.accumulator import Accumulator

CONFIG = PRESETS["4x4"].replace(accumulator_depth=32)


def test_accesses_and_drains():
    rng = np.random.default_rng(7)
    cols, depth = CONFIG.cols, CONFIG.accumulator_depth
    cycles = 1500
    limit = 1 << (CONFIG.psum_width - 1)
    dut = Accumulator(config=CONFIG)
    memory = np.zeros((depth, cols), np.int64)
    written = np.zeros(depth, bool)
    pending = {}  # cycle → sums
    effects = {}  # cycle after which an entry changes → entry, sums, overwrite
    drains = {}
    refused = granted = 0

    async def bench(ctx):
        nonlocal refused, granted
        recent = []
        access, entry, overwrite = False, 0, False  # announced in the cycle before
        for cycle in range(cycles):
            if access:
                sums = rng.integers(-limit, limit, cols)
                pending[cycle + ACC_SUMS] = sums
                effects[cycle + RMW] = (entry, sums, overwrite)
                written[entry] = True
            recent = [*recent, entry if access else -1][-RMW:]
            # Entries accessed in the last RMW cycles are in flight.
            free = [e for e in range(depth) if e not in recent]
            next_access = rng.random() < 0.8
            next_entry = int(rng.choice(free))
            next_overwrite = bool(rng.random() < 0.2) or not written[next_entry]
            ctx.set(dut.i_valid, int(next_access))
            ctx.set(dut.i_address, next_entry)
            ctx.set(dut.i_overwrite, int(next_overwrite))

            sums = pending.pop(cycle, None)
            if sums is not None:
                ctx.set(
                    Value.cast(dut.i_sums), sum((int(v) & (2 * limit - 1)) << (CONFIG.psum_width * c) for c, v in enumerate(sums))
                )

            if cycle in drains:
                expected = sum((int(v) & 0xFFFFFFFF) << (32 * c) for c, v in enumerate(drains.pop(cycle)))
                assert ctx.get(dut.drain.data) == expected
            target = int(rng.integers(depth))
            wants = rng.random() < 0.7 and target not in recent and written[target]
            ctx.set(dut.drain.valid, int(wants))
            ctx.set(dut.drain.address, target | (int(rng.integers(4)) << 12))  # bits above the depth are ignored
            grant = ctx.get(dut.drain.grant)
            conflict = access and not overwrite and (entry >= depth // 2) == (target >= depth // 2)
            if wants:
                assert grant == (not conflict)
                refused += conflict
                granted += grant
                if grant:
                    drains[cycle + ACC_READ] = memory[target].copy()
            access, entry, overwrite = next_access, next_entry, next_overwrite
            await ctx.tick()
            if cycle in effects:
                where, value, replace = effects.pop(cycle)
                memory[where] = value + (0 if replace else memory[where])

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    assert refused > 50 and granted > 200


def test_sums_wrap_at_32_bits():
    config = CONFIG.replace(rows=64, accumulator_depth=256)  # the widest partial sums, so that few accesses suffice
    dut = Accumulator(config=config)
    largest = (1 << (config.psum_width - 1)) - 1
    times = (1 << 31) // largest + 1

    async def bench(ctx):
        ctx.set(Value.cast(dut.i_sums), largest)  # column 0
        for i in range(times):
            ctx.set(dut.i_valid, 1)
            ctx.set(dut.i_overwrite, i == 0)
            await ctx.tick()
            ctx.set(dut.i_valid, 0)
            await ctx.tick().repeat(1 + RMW)
        ctx.set(dut.drain.valid, 1)
        await ctx.tick().repeat(ACC_READ)
        assert ctx.get(dut.drain.data) == (times * largest) & 0xFFFFFFFF
        assert times * largest >= 1 << 31

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
