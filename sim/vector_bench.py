"""Vector unit: requantization, addition, multiplication, tables and windows, pixel by pixel, against NumPy and `talos.numerics`."""

from dataclasses import dataclass
from typing import Any

import cocotb
import numpy as np
import numpy.typing as npt

from sim.bench import Testbench
from sim.parts import Bytes, ReadMemory, UnitDriver, WriteMemory, to_int
from talos import numerics
from talos.config import AcceleratorConfig
from talos.isa import Instruction, Opcode, Source, TableKind
from talos.latency import ACC_READ, ACT_READ
from talos.parameters import RECORD_BYTES, pack_add_table, pack_lookup, pack_parameters, unpack_parameters

MEMORY = 1 << 13  # bytes of activation memory; addresses wrap
OUTPUT = 1 << 12  # results are written from here on, operands are read below
ENTRIES = 128
CHANNELS = 48
LOOKUP_AT, ADD_AT = 64, 96  # in records


@dataclass
class Contents:
    """What is in the memories before the instructions: int8 activations, int32 accumulators, and the parameter memory's image.

    `pair` is what the ADD table is for: an addition or a multiplication.
    """

    activation: npt.NDArray[np.int8]
    accumulators: npt.NDArray[np.int32]
    parameters: bytes
    lookup: npt.NDArray[np.int8]
    pair: numerics.PairParameters


def random_contents(bench: Testbench, multiply: bool) -> Contents:
    rng, config = bench.rng, bench.config
    scale = int(rng.choice([1, 30, 1000, 100_000]))
    mantissa = rng.integers(1 << 23, 1 << 24, CHANNELS)
    shift = np.full(CHANNELS, 24 + scale.bit_length())
    records = pack_parameters(rng.integers(-50, 50, CHANNELS) * scale, mantissa, shift)
    lookup = rng.integers(-128, 128, 256).astype(np.int8)
    unsigned = bool(rng.integers(2))
    first, second, result = (int(zero) + 128 * unsigned for zero in rng.integers(-30, 30, 3))
    if multiply:
        pair = numerics.multiply_parameters(0.03, first, 0.05, second, 0.11, result, unsigned=unsigned)
    else:
        pair = numerics.add_parameters(0.03, first, 0.05, second, 0.07, result, unsigned=unsigned)
    add_table = pack_add_table(pair.table_mantissa, pair.table_shift)
    image = bytearray(config.parameter_bytes)
    for at, data in ((0, records), (LOOKUP_AT, pack_lookup(lookup)), (ADD_AT, add_table)):
        image[RECORD_BYTES * at : RECORD_BYTES * at + len(data)] = data
    activation = rng.integers(-128, 128, MEMORY).astype(np.int8)
    accumulators = rng.normal(0, 120 * scale, (ENTRIES, config.cols)).astype(np.int32)
    return Contents(activation, accumulators, bytes(image), lookup, pair)


def execute(config: AcceleratorConfig, i: Instruction, c: Contents, memory: npt.NDArray[np.int8]) -> None:
    """The model: one VECTOR instruction, written into `memory`. Operands are read from `c`, which no instruction overwrites."""
    for block in range(i["blocks"]):
        lanes = np.arange(config.cols) + block * config.cols
        for pixel in range(i["out_h"] * i["out_w"]):
            y, x = divmod(pixel, i["out_w"])
            place = {t: i[t] + y * i[f"{t}_row_stride"] + x * i[f"{t}_pixel_stride"] + lanes for t in ("a", "b", "dst")}
            value = _source(i, c, place["a"], i["acc"] + block * i["out_h"] * i["out_w"] + pixel)
            if i["requantize"]:
                start = RECORD_BYTES * (i["param"] + block * config.cols)
                records = unpack_parameters(c.parameters[start : start + RECORD_BYTES * config.cols])
                value = numerics.requantize(value, *records, i["zero_point"], i["low"], i["high"])
            elif not i["add"]:
                value = np.clip(value, i["low"], i["high"])
            value = value.astype(np.int8)
            if i["add"]:
                b = c.activation[place["b"] % MEMORY]
                first, second = (b, value) if i["add_swap"] else (value, b)
                value = numerics.combine(first, second, c.pair, i["out_low"], i["out_high"])
            if i["lookup"]:
                value = c.lookup[value.astype(int) + 128]
            count = i["tail"] if block == i["blocks"] - 1 else config.cols
            memory[place["dst"][:count] % MEMORY] = value[:count]


def _source(i: Instruction, c: Contents, a: npt.NDArray[np.int64], entry: int) -> Any:
    if i["source"] == Source.ACCUMULATOR:
        return c.accumulators[entry % ENTRIES]
    window = [(p, q) for p in range(i["win_h"]) for q in range(i["win_w"])]
    taps = [c.activation[(a + p * i["a_win_h_stride"] + q * i["a_win_w_stride"]) % MEMORY].astype(np.int32) for p, q in window]
    return np.max(taps, axis=0) if i["source"] == Source.MAXIMUM else np.sum(taps, axis=0)


def random_vector(bench: Testbench, c: Contents) -> Instruction:
    """Any source, any mixture of steps; operands below OUTPUT, results of an instruction not over each other."""
    rng, cols = bench.random, bench.config.cols
    source = rng.choice(list(Source))
    height, width = rng.randint(1, 4), rng.randint(1, 5)
    blocks = rng.randint(1, 4)
    ranges = [sorted(rng.choice([-128, 127, rng.randrange(-128, 128)]) for _ in range(2)) for _ in range(2)]
    pixel = (blocks * cols + rng.randrange(3)) * rng.choice([-1, 1])
    strides = ("row_stride", "pixel_stride", "win_h_stride", "win_w_stride")
    return Instruction(
        Opcode.VECTOR,
        source=source,
        requantize=int(source != Source.MAXIMUM or rng.random() < 0.5),
        add=rng.randrange(2),
        lookup=rng.randrange(2),
        blocks=blocks,
        tail=rng.randint(1, cols),
        out_h=height,
        out_w=width,
        win_h=rng.randint(1, 3),
        win_w=rng.randint(1, 3),
        acc=rng.randrange(1 << 16),
        param=rng.randrange(CHANNELS - blocks * cols + 1),
        a=rng.randrange(1000, OUTPUT - 1000),
        b=rng.randrange(1000, OUTPUT - 1000),
        **{f"a_{name}": rng.randint(-60, 60) for name in strides},
        **{f"b_{name}": rng.randint(-60, 60) for name in strides[:2]},
        dst=OUTPUT + 2000 + rng.randrange(100),
        dst_pixel_stride=pixel,
        dst_row_stride=pixel * width,
        zero_point=rng.randrange(-128, 128),
        low=ranges[0][0],
        high=ranges[0][1],
        out_zero_point=c.pair.zero_point,
        out_low=ranges[1][0],
        out_high=ranges[1][1],
        add_mantissa=c.pair.mantissa,
        add_align=c.pair.align,
        add_shift=c.pair.shift,
        add_unsigned=int(c.pair.unsigned),
        multiply=int(c.pair.multiply),
        operand_zero_point=c.pair.zero_a,
        addend_zero_point=c.pair.zero_b,
        add_swap=rng.randrange(2),
        wait=rng.randrange(16),
        post=rng.randrange(16),
    )


async def _vector(dut: Any, name: str, count: int, chance: float, multiply: bool = False) -> None:
    bench = Testbench(dut, name)
    config = bench.config
    c = random_contents(bench, multiply)
    seen, expected = c.activation.copy(), c.activation.copy()
    tables = [
        Instruction(Opcode.TABLE, kind=TableKind.LOOKUP, param=LOOKUP_AT, post=3),
        Instruction(Opcode.TABLE, kind=TableKind.ADD, param=ADD_AT, post=5),
    ]
    instructions = [*tables, *(random_vector(bench, c) for _ in range(count))]

    def read(address: int) -> int:
        return to_int(c.activation[(address + np.arange(config.cols)) % MEMORY])

    await bench.start()
    for n in range(len(c.parameters) // config.beat_bytes):
        beat: Bytes = np.frombuffer(c.parameters, np.uint8)[n * config.beat_bytes :][: config.beat_bytes]
        await bench.step({"param_valid": 1, "param_address": n, "param_data": to_int(beat)})
    await bench.step({"param_valid": 0})

    unit = bench.add(UnitDriver(bench, instructions, instr=max(chance, 0.3), sync=max(chance, 0.3)))
    bench.add(ReadMemory(bench, "act_read", ACT_READ, chance, read))
    bench.add(ReadMemory(bench, "acc_read", ACC_READ, chance, lambda entry: to_int(c.accumulators[entry % ENTRIES])))
    bench.add(WriteMemory(bench, "act_write", 1.0, seen.view(np.uint8)))
    await bench.run_until(lambda: unit.finished, 150_000)
    for i in instructions[len(tables) :]:
        execute(config, i, c, expected)
    assert np.array_equal(seen, expected), f"bytes differ at {np.flatnonzero(seen != expected)[:8]}"


@cocotb.test()
async def full_speed(dut: Any) -> None:
    """Every read granted at once."""
    await _vector(dut, "full", 40, 1.0)


@cocotb.test()
async def back_pressure(dut: Any) -> None:
    """Reads are refused in random cycles."""
    await _vector(dut, "pressure", 40, 0.6)


@cocotb.test()
async def slow_memories(dut: Any) -> None:
    """Reads are rarely granted."""
    await _vector(dut, "slow", 20, 0.2)


@cocotb.test()
async def multiplication(dut: Any) -> None:
    """Multiplications instead of additions, at full speed."""
    await _vector(dut, "multiply", 40, 1.0, multiply=True)


@cocotb.test()
async def multiplication_under_back_pressure(dut: Any) -> None:
    """Multiplications instead of additions, while reads are refused in random cycles."""
    await _vector(dut, "multiply_pressure", 20, 0.6, multiply=True)
