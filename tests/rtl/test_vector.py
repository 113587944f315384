"""The vector unit: bytes against NumPy, and every output in every cycle against the cycle model."""

from collections import Counter
from dataclasses import dataclass, field

import numpy as np
import pytest
from amaranth.sim import Simulator

from talos import numerics
from talos.config import PRESETS
from talos.isa import Instruction, Opcode, Source, TableKind
from talos.latency import ACC_READ, ACT_READ, LANE
from talos.model.timing import vector as model
from talos.model.timing.fields import instruction_rows
from talos.parameters import pack_add_table, pack_lookup, pack_parameters, unpack_parameters
from talos.rtl.vector import VectorUnit

MEMORY = 1 << 12  # bytes of activation memory in these tests; addresses wrap
OUTPUT = 1 << 11  # results are written from here on, operands are read below
ENTRIES = 128
BASE = PRESETS["4x4"].replace(parameter_bytes=4096)
LOOKUP_AT, ADD_AT = 128, 160  # in records


@dataclass
class Contents:
    """What is in the memories before the run."""

    activation: np.ndarray
    accumulators: np.ndarray
    parameters: bytes
    lookup: np.ndarray
    addition: numerics.PairParameters


def contents(config, rng, multiply=False):
    channels = 40
    scale = rng.choice([1.0, 30.0, 1000.0])
    mantissa = rng.integers(1 << 23, 1 << 24, channels)
    shift = np.full(channels, 23 + int(np.log2(scale)) + 1)
    records = pack_parameters(rng.integers(-50, 50, channels) * int(scale), mantissa, shift)
    lookup = rng.integers(-128, 128, 256).astype(np.int8)
    unsigned = bool(rng.integers(2))
    zeros = rng.integers(-30, 30, 3) + (128 if unsigned else 0)
    scales, parameters = (
        ((0.03, 0.05, 0.11), numerics.multiply_parameters) if multiply else ((0.03, 0.05, 0.07), numerics.add_parameters)
    )
    addition = parameters(scales[0], zeros[0], scales[1], zeros[1], scales[2], zeros[2], unsigned=unsigned)
    image = bytearray(config.parameter_bytes)
    for at, data in (
        (0, records),
        (LOOKUP_AT, pack_lookup(lookup)),
        (ADD_AT, pack_add_table(addition.table_mantissa, addition.table_shift)),
    ):
        image[8 * at : 8 * at + len(data)] = data
    assert len(image) == config.parameter_bytes
    return Contents(
        rng.integers(-128, 128, MEMORY).astype(np.int8),
        (rng.normal(0, 80 * scale, (ENTRIES, config.cols))).astype(np.int32),
        bytes(image),
        lookup,
        addition,
    )


def execute(config, i, c, memory):
    """One VECTOR instruction, pixel by pixel, on the bytes `memory`."""
    for block in range(i["blocks"]):
        count = i["tail"] if block == i["blocks"] - 1 else config.cols
        lanes = np.arange(config.cols) + block * config.cols
        for pixel in range(i["out_h"] * i["out_w"]):
            y, x = divmod(pixel, i["out_w"])

            def at(tensor, y=y, x=x, lanes=lanes):
                return i[tensor] + y * i[f"{tensor}_row_stride"] + x * i[f"{tensor}_pixel_stride"] + lanes

            if i["source"] == Source.ACCUMULATOR:
                value = c.accumulators[(i["acc"] + block * i["out_h"] * i["out_w"] + pixel) % ENTRIES]
            else:
                taps = [
                    c.activation[(at("a") + p * i["a_win_h_stride"] + q * i["a_win_w_stride"]) % MEMORY].astype(np.int32)
                    for p in range(i["win_h"])
                    for q in range(i["win_w"])
                ]
                value = np.max(taps, axis=0) if i["source"] == Source.MAXIMUM else np.sum(taps, axis=0)
            if i["requantize"]:
                start = 8 * (i["param"] + block * config.cols)
                records = unpack_parameters(c.parameters[start : start + 8 * config.cols])
                value = numerics.requantize(value, *records, i["zero_point"], i["low"], i["high"])
            elif not i["add"]:
                value = np.clip(value, i["low"], i["high"])
            value = value.astype(np.int8)
            if i["add"]:
                b = c.activation[at("b") % MEMORY]
                first, second = (b, value) if i["add_swap"] else (value, b)
                value = numerics.combine(first, second, c.addition, i["out_low"], i["out_high"])
            if i["lookup"]:
                value = c.lookup[value.astype(int) + 128]
            memory[at("dst")[:count] % MEMORY] = value[:count]


def random_vector(config, rng, c, **changes):
    """A valid VECTOR instruction whose results do not overlap, with the fields in `changes` set."""
    lows, highs = rng.choice([-128, *rng.integers(-120, -20, 2)], 2), rng.choice([127, *rng.integers(20, 120, 2)], 2)
    height, width, blocks = (int(v) for v in rng.integers(1, 5, 3))
    values = {
        "source": int(rng.integers(3)),
        "requantize": int(rng.integers(2)),
        "add": int(rng.integers(2)),
        "lookup": int(rng.integers(2)),
        "blocks": blocks,
        "tail": int(rng.integers(1, config.cols + 1)),
        "out_h": height,
        "out_w": width,
        "win_h": int(rng.integers(1, 4)),
        "win_w": int(rng.integers(1, 4)),
        "acc": int(rng.integers(1 << 16)),
        "param": int(rng.integers(20)),
        **{name: int(rng.integers(OUTPUT - 600)) for name in ("a", "b")},
        **{
            name: int(rng.integers(-40, 41))
            for name in ("a_row_stride", "a_pixel_stride", "a_win_h_stride", "a_win_w_stride", "b_row_stride", "b_pixel_stride")
        },
        "zero_point": int(rng.integers(-128, 128)),
        "low": int(lows[0]),
        "high": int(highs[0]),
        "out_zero_point": c.addition.zero_point,
        "out_low": int(lows[1]),
        "out_high": int(highs[1]),
        "add_mantissa": c.addition.mantissa,
        "add_align": c.addition.align,
        "add_shift": c.addition.shift,
        "add_unsigned": int(c.addition.unsigned),
        "multiply": int(c.addition.multiply),
        "operand_zero_point": c.addition.zero_a,
        "addend_zero_point": c.addition.zero_b,
        "add_swap": int(rng.integers(2)),
        "wait": int(rng.integers(16)),
        "post": int(rng.integers(16)),
        **changes,
    }
    if values["source"] in (Source.ACCUMULATOR, Source.SUM):
        values["requantize"] = 1
    pixel = values["blocks"] * config.cols + int(rng.integers(3))
    direction = int(rng.choice([-1, 1]))
    values["dst_pixel_stride"] = direction * pixel
    values["dst_row_stride"] = direction * pixel * values["out_w"]
    values["dst"] = OUTPUT + 1024 + int(rng.integers(100))
    for feature, names in (("residual", ("add",)), ("lookup", ("lookup",)), ("pool", ("win_h", "win_w"))):
        if not getattr(config, feature):
            values.update(dict.fromkeys(names, int(feature == "pool")))
    return Instruction(Opcode.VECTOR, **values)


def tables(config):
    kinds = [(TableKind.LOOKUP, LOOKUP_AT)] * config.lookup + [(TableKind.ADD, ADD_AT)] * config.residual
    return [Instruction(Opcode.TABLE, kind=int(kind), param=param, post=int(kind) + 1) for kind, param in kinds]


@dataclass
class Behaviour:
    """Probabilities per cycle that a partner of the unit is ready."""

    grant: float = 1.0
    access: float = 1.0
    sync: float = 1.0
    instr: float = 1.0


@dataclass
class Result:
    starts: list = field(default_factory=list)
    reads: list = field(default_factory=list)  # cycles of granted reads of either memory
    writes: list = field(default_factory=list)  # cycles
    dones: list = field(default_factory=list)  # (cycle, post)
    status: Counter = field(default_factory=Counter)


async def write_parameters(ctx, dut, config, image):
    for n in range(len(image) // config.beat_bytes):
        beat = image[n * config.beat_bytes : (n + 1) * config.beat_bytes]
        if any(beat):
            ctx.set(dut.param_valid, 1)
            ctx.set(dut.param_address, n)
            ctx.set(dut.param_data, int.from_bytes(beat, "little"))
            await ctx.tick()
    ctx.set(dut.param_valid, 0)


def simulate(config, instructions, c, behaviour, rng):
    """Runs the instructions in RTL and cycle model together, compares all outputs, and the bytes with `execute`."""
    dut = VectorUnit(config)
    state = model.vector_state(config)
    rows = instruction_rows(instructions)
    encoded = [int.from_bytes(i.encode(), "little") & ((1 << len(dut.instr.payload)) - 1) for i in instructions]
    memory = c.activation.copy()
    expected_memory = c.activation.copy()
    for i in instructions:
        if i.opcode == Opcode.VECTOR:
            execute(config, i, c, expected_memory)
    result = Result()

    def read(address):
        return int.from_bytes(c.activation[(address + np.arange(config.cols)) % MEMORY].tobytes(), "little")

    def access_data(address):
        return int.from_bytes(c.accumulators[address % ENTRIES].tobytes(), "little")

    async def bench(ctx):
        await write_parameters(ctx, dut, config, c.parameters)
        ctx.set(dut.act_write.grant, 1)
        head, offered = 0, False
        act_data, acc_data = {}, {}
        for cycle in range(20_000):
            offered = head < len(rows) and (offered or rng.random() < behaviour.instr)
            ready = bool(rng.random() < behaviour.sync)
            granted, accessed = bool(rng.random() < behaviour.grant), bool(rng.random() < behaviour.access)
            ctx.set(dut.instr.valid, offered)
            ctx.set(dut.instr.payload, encoded[head] if offered else 0)
            ctx.set(dut.sync_ready, ready)
            ctx.set(dut.act_read.grant, granted)
            ctx.set(dut.acc_read.grant, accessed)
            ctx.set(dut.act_read.data, act_data.pop(cycle, int(rng.integers(1 << 32))))
            ctx.set(dut.acc_read.data, acc_data.pop(cycle, int(rng.integers(1 << 32))))

            request, entry, write = model.vector_request(state), model.vector_access(state), model.vector_write(state)
            grant, access = request >= 0 and granted, entry >= 0 and accessed
            start = offered and ready and bool(model.vector_free(state))
            status = model.vector_status(state, grant, access, offered and not ready)
            done = model.vector_done(state)
            expected = {
                "read": request >= 0,
                "access": entry >= 0,
                "write": write >= 0,
                "start": start,
                "instr_ready": start,
                "wait": int(rows[head, 1]) if offered else 0,
                "busy": status == 1,
                "sync": status == 2,
                "stall": status == 3,
                "done": done >= 0,
                "idle": bool(model.vector_idle(state)),
            }
            seen = {
                "read": ctx.get(dut.act_read.valid),
                "access": ctx.get(dut.acc_read.valid),
                "write": ctx.get(dut.act_write.valid),
                "start": ctx.get(dut.start),
                "instr_ready": ctx.get(dut.instr.ready),
                "wait": ctx.get(dut.wait),
                "busy": ctx.get(dut.busy),
                "sync": ctx.get(dut.sync),
                "stall": ctx.get(dut.stall),
                "done": ctx.get(dut.done),
                "idle": ctx.get(dut.idle),
            }
            assert seen == expected, f"cycle {cycle}"
            if request >= 0:
                assert ctx.get(dut.act_read.address) == request, f"cycle {cycle}"
            if entry >= 0:
                assert ctx.get(dut.acc_read.address) == entry, f"cycle {cycle}"
            if write >= 0:
                assert ctx.get(dut.act_write.address) == write, f"cycle {cycle}"
                data = np.frombuffer(ctx.get(dut.act_write.data).to_bytes(config.cols, "little"), np.int8)
                count = ctx.get(dut.act_write.count)
                memory[(write + np.arange(count)) % MEMORY] = data[:count]
                result.writes.append(cycle)
            if done >= 0:
                assert ctx.get(dut.post) == done, f"cycle {cycle}"
                result.dones.append((cycle, done))
            if grant:
                act_data[cycle + ACT_READ] = read(request)
            if access:
                acc_data[cycle + ACC_READ] = access_data(entry)
            if grant or access:
                result.reads.append(cycle)
            result.status[status] += 1
            model.vector_clock(state, rows[head] if offered else rows[0], start, grant, access)
            if start:
                result.starts.append(cycle)
                head, offered = head + 1, False
            await ctx.tick()
            if head == len(rows) and model.vector_idle(state):
                return
        raise AssertionError("the program does not end")

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    assert [post for _, post in result.dones] == [i["post"] for i in instructions]
    wrong = np.flatnonzero(memory != expected_memory)
    assert not wrong.size, (wrong[:8], memory[wrong[:8]], expected_memory[wrong[:8]])
    return result


CONFIGS = {
    "4x4": BASE,
    "two lanes": BASE.replace(cols=8, lanes=2, axi_data_width=128),
    "one lane": BASE.replace(lanes=1, axi_data_width=64, multiply=False),
    "bare": BASE.replace(residual=False, multiply=False, lookup=False, pool=False, lanes=2),
}


@pytest.mark.parametrize(("name", "multiply"), [*((name, False) for name in CONFIGS), ("4x4", True), ("two lanes", True)])
def test_random_instructions_under_back_pressure(name, multiply):
    config = CONFIGS[name]
    rng = np.random.default_rng(sum(name.encode()))
    c = contents(config, rng, multiply)
    instructions = [*tables(config), *(random_vector(config, rng, c) for _ in range(6))]
    simulate(config, instructions, c, Behaviour(0.7, 0.7, 0.5, 0.3), rng)


@pytest.mark.parametrize(
    ("name", "changes", "cycles", "reads"),
    [
        ("4x4", {"source": 0, "add": 0}, 1, 1),
        ("4x4", {"source": 0, "add": 1}, 2, 2),
        ("4x4", {"source": 1, "add": 1, "requantize": 0, "win_h": 1, "win_w": 1}, 2, 2),
        ("4x4", {"source": 1, "add": 0, "requantize": 0, "win_h": 2, "win_w": 3}, 6, 6),
        ("4x4", {"source": 2, "add": 0, "win_h": 1, "win_w": 2}, 2, 2),
        ("two lanes", {"source": 0, "add": 0}, 4, 1),
        ("two lanes", {"source": 0, "add": 1}, 8, 2),
        ("two lanes", {"source": 1, "add": 0, "win_h": 3, "win_w": 2}, 6, 6),
    ],
)
def test_pixels_follow_each_other_without_a_bubble(name, changes, cycles, reads):
    """`cycles` per pixel from the first to the last of both blocks: the second block's parameters are there in time."""
    config = CONFIGS[name]
    rng = np.random.default_rng(7)
    c = contents(config, rng)
    instruction = random_vector(config, rng, c, blocks=2, out_h=5, out_w=4, lookup=0, **changes)
    add_table = tables(config)[1:] if changes["add"] else []
    result = simulate(config, [*add_table, instruction], c, Behaviour(), rng)
    assert len(result.reads) == 40 * reads
    assert np.all(np.diff(result.writes) == cycles)


def test_latency_from_start_to_done():
    """The formula of docs/microarchitecture.md."""
    rng = np.random.default_rng(8)
    c = contents(BASE, rng)
    instruction = random_vector(BASE, rng, c, source=0, add=0, blocks=1, out_h=1, out_w=1)
    result = simulate(BASE, [instruction], c, Behaviour(), rng)
    start, launch = result.starts[0], result.reads[0]
    assert launch == start + 1 + BASE.cols
    assert result.dones[0][0] == launch + ACC_READ + 1 + LANE + 1


def test_records_of_tiny_blocks_are_not_overwritten_in_use():
    """Blocks of one pixel take turns on the two parameter sets as fast as they can be read, across instructions."""
    rng = np.random.default_rng(9)
    c = contents(BASE, rng)
    shape = {"blocks": 6, "out_h": 1, "out_w": 1, "lookup": 0}
    instructions = [
        random_vector(BASE, rng, c, source=0, add=0, param=1, **shape),
        random_vector(BASE, rng, c, source=1, add=1, requantize=0, **shape),
        random_vector(BASE, rng, c, source=0, add=1, param=9, **shape),
        random_vector(BASE, rng, c, source=0, add=0, param=4, **shape),
    ]
    result = simulate(BASE, [*tables(BASE)[1:], *instructions], c, Behaviour(), rng)
    assert result.status[3] == 0  # nothing was refused, so nothing stalled
