"""The requantization lane against `talos.numerics`, bit for bit."""

from fractions import Fraction

import numpy as np
import pytest
from amaranth.sim import Simulator

from talos import numerics
from talos.config import PRESETS
from talos.latency import LANE
from talos.parameters import Records, pack_parameters, unpack_parameters
from talos.rtl.lane import Lane

INT32_MIN, INT32_MAX = -(1 << 31), (1 << 31) - 1
EDGES = [
    0,
    1,
    -1,
    2,
    3,
    127,
    -128,
    (1 << 24) - 1,
    1 << 24,
    (1 << 24) + 1,
    (1 << 25) - 1,
    -(1 << 24) - 1,
    INT32_MAX,
    INT32_MIN,
    INT32_MIN + 1,
]


def random_records(rng):
    """Two channels' bias, mantissa and shift: mostly scales that spread the results over int8, some extreme ones."""
    kind = rng.integers(5)
    if kind == 0:  # few bits: exact ties in every rounding
        mantissa = rng.choice([1 << 23, 3 << 22, 5 << 21, 7 << 21], 2)
    else:
        mantissa = rng.integers(1 << 23, 1 << 24, 2)
    shift = rng.integers(-256, 256, 2) if kind == 3 else rng.integers(36, 50, 2) if kind == 0 else rng.integers(20, 52, 2)
    bias = rng.choice(EDGES, 2) if kind == 2 else rng.integers(-(1 << 16), 1 << 16, 2)
    if kind == 4:  # what no compiler writes
        return Records(bias, rng.integers(0, 1 << 24, 2) >> rng.integers(0, 24, 2), rng.integers(0, 256, 2))
    return unpack_parameters(pack_parameters(bias, mantissa, shift))


def random_operands(rng, records, index, count):
    """Accumulators as close as can be to the middle between two codes, where every rounding decides, and edges among them."""
    halves = rng.integers(-280, 280, count) + rng.choice([0.5, 0.5, 0.5, 0], count)
    beyond = rng.choice([-1, 1], count) * 2.0 ** rng.uniform(7, 12, count)  # around the limit of what the shifter can place
    target = np.where(rng.random(count) < 0.1, beyond, halves)
    mantissa, shift = records.mantissa[index], records.shift[index]
    x = np.rint(np.clip(target * 2.0**shift / np.maximum(mantissa, 1), INT32_MIN, INT32_MAX)).astype(np.int64)
    # The last bits of the 24 kept ones, and those below them.
    dropped = np.maximum(np.ceil(np.log2(np.abs(x) + 1)).astype(np.int64) - 24, 0)
    x += rng.choice([0, 0, 0, -1, 1], count) + rng.choice([0, 0, -2, -1, 1, 2], count) * (1 << dropped >> 1)
    x = (np.clip(x, INT32_MIN, INT32_MAX) - records.bias[index]).astype(np.int32)  # wraps, as the hardware's addition does
    return np.where(rng.random(count) < 0.1, rng.choice(EDGES, count), x)


def random_pair(rng, kind):
    """Parameters of an operation of two codes: the results spread over int8 and beyond, ties among them."""
    scales = np.exp(rng.uniform(-3, 3, 3)) if rng.random() < 0.7 else 2.0 ** rng.integers(-3, 4, 3)
    zeros = rng.choice([-128, 127, *rng.integers(-128, 128, 4)], 3)
    if kind in ("multiply", "uint8 multiply"):
        scales[2] = scales[0] * scales[1] * 2.0 ** rng.integers(3, 9) * (1 if rng.random() < 0.3 else rng.uniform(1, 2))
    if kind in ("add", "multiply"):
        function = numerics.add_parameters if kind == "add" else numerics.multiply_parameters
        return function(scales[0], zeros[0], scales[1], zeros[1], scales[2], zeros[2])
    if kind in ("uint8 add", "uint8 multiply"):
        zeros = zeros + 128
        function = numerics.add_parameters if kind == "uint8 add" else numerics.multiply_parameters
        return function(scales[0], zeros[0], scales[1], zeros[1], scales[2], zeros[2], unsigned=True)
    return numerics.float_pair_parameters(kind, scales[0], zeros[0], scales[1], zeros[1], scales[2], zeros[2])


async def write_tables(ctx, dut, lookup, addition):
    entries = (addition.table_mantissa & 0x1FFFFFF) | addition.table_shift << 25
    for kind, words in (("lookup", lookup.astype(int) & 255), ("add", entries)):
        ctx.set(dut.table_write[kind], 1)
        for i in range(256):
            ctx.set(dut.table_write.index, i)
            ctx.set(dut.table_write.entry, int(words[i]))
            await ctx.tick()
        ctx.set(dut.table_write[kind], 0)


def run(dut, seed, rounds, count, kinds):
    rng = np.random.default_rng(seed)

    async def bench(ctx):
        for n in range(rounds):
            records = random_records(rng)
            for i in range(2):
                ctx.set(dut.record_write, 1)
                ctx.set(dut.record_index, i)
                ctx.set(dut.record, {name: int(getattr(records, name)[i]) for name in records._fields})
                await ctx.tick()
            ctx.set(dut.record_write, 0)
            if n % 4 == 0:
                addition = random_pair(rng, kinds[n // 4 % len(kinds)])
                lookup = rng.integers(-128, 128, 256).astype(np.int8)
                await write_tables(ctx, dut, lookup, addition)
            zero = rng.integers(-128, 128), addition.zero_point
            low, high = np.sort(rng.choice([-128, -128, 127, 127, *rng.integers(-128, 128, 2)], (2, 2)), axis=0)
            use_lookup = rng.integers(0, 2, 2)
            ctx.set(
                dut.constants,
                {
                    "mantissa": addition.mantissa,
                    "align": addition.align,
                    "unsigned": int(addition.unsigned),
                    "multiply": int(addition.multiply),
                    "operand_zero": int(addition.zero_a),
                    "addend_zero": int(addition.zero_b),
                    "shift": addition.shift,
                    "table": 1,
                    "lookup": use_lookup.tolist(),
                    "zero_point": [int(z) for z in zero],
                    "low": low.tolist(),
                    "high": high.tolist(),
                },
            )

            index, adding = rng.integers(0, 2, count), rng.integers(0, 2, count)
            a, b = rng.integers(-128, 128, (2, count)).astype(np.int8)
            operands = np.where(adding, a, random_operands(rng, records, index, count))
            expected = np.where(
                adding,
                numerics.combine(a, b, addition, low[1], high[1]),
                np.where(
                    index,
                    numerics.requantize(operands, *(f[1] for f in records), zero[0], low[0], high[0]),
                    numerics.requantize(operands, *(f[0] for f in records), zero[0], low[0], high[0]),
                ),
            )
            expected = np.where(use_lookup[adding], lookup[expected.astype(int) + 128], expected)

            results = []
            for t in range(count + LANE):
                if t < count:
                    ctx.set(dut.operand, int(operands[t]))
                    ctx.set(dut.add, int(adding[t]))
                    ctx.set(dut.set_index, int(index[t]))
                    ctx.set(dut.addend, int(b[t]) & 255)
                if t >= LANE:
                    results.append(ctx.get(dut.result))
                await ctx.tick()
            wrong = np.flatnonzero(np.array(results) != expected)
            assert not wrong.size, (
                n,
                wrong[:5],
                operands[wrong[:5]],
                np.array(results)[wrong[:5]],
                expected[wrong[:5]],
                adding[wrong[:5]],
            )

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()


@pytest.mark.parametrize("seed", [1, 2])
def test_lane_equals_numerics(seed):
    run(Lane(config=PRESETS["4x4"]), seed, 24, 300, ["add", "multiply", "uint8 add", "uint8 multiply", "subtract", "multiply"])


def test_lane_without_multiplier():
    run(Lane(config=PRESETS["4x4"].replace(multiply=False)), 3, 8, 300, ["add", "subtract"])


def test_lane_multiplies_all_extremes():
    """Products of the largest differences, with every sign, against exact fractions."""
    dut = Lane(config=PRESETS["4x4"])
    codes = np.array([-128, -127, -1, 0, 1, 126, 127], np.int8)
    a, b = (v.reshape(-1) for v in np.meshgrid(codes, codes))
    for zeros in ((-128, -128), (127, 127), (-128, 127), (0, 0), (3, -7)):
        p = numerics.multiply_parameters(1.0, zeros[0], 1.0, zeros[1], 511.0, 0)
        constants = {"mantissa": p.mantissa, "align": p.align, "shift": p.shift, "multiply": 1, "table": 1}
        constants |= {"operand_zero": zeros[0], "addend_zero": zeros[1], "low": [-128, -128], "high": [127, 127]}
        results = []

        async def bench(ctx, constants=constants, results=results, p=p):
            await write_tables(ctx, dut, np.arange(-128, 128), p)
            ctx.set(dut.constants, constants)
            ctx.set(dut.add, 1)
            for t in range(len(a) + LANE):
                ctx.set(dut.operand, int(a[t % len(a)]))
                ctx.set(dut.addend, int(b[t % len(a)]) & 255)
                if t >= LANE:
                    results.append(ctx.get(dut.result))
                await ctx.tick()

        simulator = Simulator(dut)
        simulator.add_clock(1e-6)
        simulator.add_testbench(bench)
        simulator.run()
        exact = [Fraction((int(x) - zeros[0]) * (int(y) - zeros[1]), 511) for x, y in zip(a, b, strict=True)]
        assert results == [min(max(round(value), -128), 127) for value in exact]
