"""The systolic array against matrix products and filters in NumPy, with weights, switches and modes injected at random."""

import numpy as np
import pytest
from amaranth.hdl import Value
from amaranth.sim import Simulator

from talos.config import PRESETS
from talos.latency import array_latency
from talos.rtl.array import SystolicArray
from talos.rtl.verilog import to_verilog

BASE = PRESETS["8x8"].replace(activation_bytes=1 << 14, parameter_bytes=4096)


def pack(values):
    """int8 values as one integer, value 0 in the low byte."""
    return int.from_bytes(np.asarray(values, np.int8).tobytes(), "little")


@pytest.mark.parametrize("depthwise", [False, True])
@pytest.mark.parametrize(("rows", "cols"), [(4, 4), (4, 8), (8, 4)])
def test_sums_equal_products_and_filters(rows, cols, depthwise):
    config = BASE.replace(rows=rows, cols=cols, lanes=cols, depthwise=depthwise)
    rng = np.random.default_rng(rows * 100 + cols)
    cycles = 150
    extremes = np.array([-128, -1, 0, 127], np.int8)

    def random_bytes(count):
        return rng.choice(extremes, count) if rng.random() < 0.3 else rng.integers(-128, 128, count).astype(np.int8)

    dut = SystolicArray(config=config)
    shadow = np.zeros((rows, cols), np.int64)
    active = np.zeros((rows, cols), np.int64)
    vectors = []
    expected = []
    seen = []

    async def bench(ctx):
        nonlocal active
        for cycle in range(cycles + array_latency(config)):
            acts = random_bytes(config.matrix_bytes)
            vectors.append(acts.astype(np.int64))
            down = depthwise and rng.random() < 0.5
            word = random_bytes(cols)
            filling = cycle < rows  # every PE gets a weight before the first switch
            row = cycle if filling else int(rng.integers(rows))
            strobe = filling or rng.random() < 0.7
            switch = cycle == rows or (not filling and rng.random() < 0.3)
            ctx.set(Value.cast(dut.i_acts), pack(acts))
            ctx.set(dut.i_switch, int(switch))
            if depthwise:
                ctx.set(dut.i_down, int(down))
            ctx.set(Value.cast(dut.i_weights), pack(word))
            ctx.set(dut.i_strobes, strobe << row)
            if switch:
                active = shadow.copy()
            operands = np.stack(vectors[: -rows - 1 : -1])[:, :cols] if down else vectors[-1][:rows, None]
            expected.append((operands * active[: len(operands)]).sum(axis=0))
            if strobe:
                shadow[row] = word
            seen.append([ctx.get(dut.o_sums[c]) for c in range(cols)])
            await ctx.tick()

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    latency = array_latency(config)
    np.testing.assert_array_equal(seen[latency + rows :], expected[rows : len(seen) - latency])


def test_depthwise_is_absent_without_the_option():
    sizes = {}
    for depthwise in (False, True):
        text = to_verilog(SystolicArray(config=BASE.replace(rows=4, cols=4, lanes=4, depthwise=depthwise)), "array")
        assert ("down" in text) == depthwise
        sizes[depthwise] = text.count("always @")
    # Per PE two registers; besides that the flag is delayed once per row.
    assert sizes[True] >= sizes[False] + 2 * 16


@pytest.mark.parametrize("down", [0, 1])
def test_largest_sum_fits(down):
    """All −128 · −128: the one sum that needs every bit."""
    config = BASE.replace(rows=8, cols=4, lanes=4)
    dut = SystolicArray(config=config)

    async def bench(ctx):
        ctx.set(Value.cast(dut.i_acts), pack([-128] * 8))
        ctx.set(Value.cast(dut.i_weights), pack([-128] * 4))
        ctx.set(dut.i_down, down)
        ctx.set(dut.i_strobes, 0xFF)  # the same word for every row: each strobe meets it on its way down
        await ctx.tick()
        ctx.set(dut.i_switch, 1)
        await ctx.tick().repeat(array_latency(config) + 8)  # the filter has seen eight vectors
        assert [ctx.get(dut.o_sums[c]) for c in range(4)] == [8 * 128 * 128] * 4

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
