"""The load unit: memory contents against NumPy, and every output in every cycle against the cycle model."""

import random
from collections import Counter

import numpy as np
import pytest
from amaranth.sim import Simulator

from talos.config import PRESETS
from talos.isa import Instruction, Opcode, Space
from talos.model.timing import load as model
from talos.model.timing.fields import instruction_rows
from talos.rtl.load import LoadUnit

DRAM = 1 << 16  # bytes; addresses wrap
BASES = [0, 0x1003, 0xFFFF_F001, 0x4_2000]
MEMORY = 1 << 12
BASE = PRESETS["4x4"].replace(activation_bytes=MEMORY)
CONFIGS = {
    "4 byte beats": BASE,
    "4 byte beats, bursts of 1": BASE.replace(max_burst=1),
    "16 byte beats": BASE.replace(axi_data_width=128, max_burst=4),
    "64 byte beats": BASE.replace(rows=8, cols=8, axi_data_width=512, max_burst=8, weight_fifo_bytes=2048),
}


def random_instruction(rng, config):
    rows = {
        "row_bytes": rng.choice([1, rng.randint(1, 12), rng.randint(1, 5 * config.beat_bytes)]),
        "rows": rng.choice([1, rng.randint(1, 6)]),
        "planes": rng.choice([1, rng.randint(1, 3)]),
        "wait": rng.randrange(16),
        "post": rng.randrange(16),
    }
    local = {
        "dst": rng.randrange(MEMORY),
        "dst_row_stride": rng.randrange(-300, 300),
        "dst_plane_stride": rng.randrange(-2000, 2000),
    }
    dram = {
        "region": rng.randrange(4),
        "address": rng.randrange(1 << 32),
        "row_stride": rng.choice([rng.randrange(-(1 << 31), 1 << 31), rng.randrange(-200, 200)]),
        "plane_stride": rng.randrange(-(1 << 31), 1 << 31),
    }
    kind = rng.random()
    if kind < 0.3:
        return Instruction(Opcode.FILL, **rows, **local, value=rng.randrange(-128, 128))
    if kind < 0.5:
        beat = config.beat_bytes
        for name in ("address", "row_stride", "plane_stride"):
            dram[name] = dram[name] // beat * beat
        dram["region"] = 0
        local = {name: value // beat * beat for name, value in local.items()}
        rows["row_bytes"] = -(-rows["row_bytes"] // beat) * beat
        return Instruction(Opcode.LOAD, **rows, **local, **dram, space=Space.PARAMETER)
    return Instruction(Opcode.LOAD, **rows, **local, **dram)


def execute(config, instructions, dram):
    """Activation and parameter memory afterwards: plain loops of the instructions' description."""
    memories = [np.zeros(MEMORY, np.uint8), np.zeros(config.parameter_bytes, np.uint8)]
    for i in instructions:
        for plane in range(i["planes"]):
            for row in range(i["rows"]):
                length = np.arange(i["row_bytes"])
                to = (i["dst"] + plane * i["dst_plane_stride"] + row * i["dst_row_stride"] + length) % (1 << 22)
                if i.opcode == Opcode.FILL:
                    memories[0][to % MEMORY] = i["value"] & 255
                else:
                    first = BASES[i["region"]] + i["address"] + plane * i["plane_stride"] + row * i["row_stride"]
                    memory = memories[i["space"]]
                    memory[to % len(memory)] = dram[(first + length) % DRAM]
    return memories


class Result:
    def __init__(self, config):
        self.memories = [np.zeros(MEMORY, np.uint8), np.zeros(config.parameter_bytes, np.uint8)]
        self.starts = []
        self.dones = []
        self.writes = []  # cycles
        self.reads = Counter()  # DRAM beat addresses
        self.status = Counter()
        self.errors = 0


def simulate(config, instructions, dram, rng, *, chance=1.0, sync=1.0, faults=0.0, latency=0):
    """Runs RTL and cycle model together, compares all outputs, applies the writes. `chance`: of each partner to be ready in a cycle."""
    dut = LoadUnit(config)
    state = model.load_state(config)
    table = instruction_rows(instructions)
    bases = np.array(BASES, np.int64)
    result = Result(config)
    beat_bytes = config.beat_bytes
    errors_sent = 0

    async def bench(ctx):
        nonlocal errors_sent
        for i, base in enumerate(BASES):
            ctx.set(dut.bases[i], base)
        head, cycle, finished = 0, 0, 0
        beats, offered = [], None
        failed = False
        while finished < len(instructions) or not ctx.get(dut.idle) or failed:
            valid = head < len(instructions) and rng.random() < max(chance, 0.5)
            sync_ready = rng.random() < sync
            ar_ready = rng.random() < chance
            grant = rng.random() < chance
            if offered is None and beats and beats[0][0] <= cycle and rng.random() < chance:
                offered = beats.pop(0)[1:]
            ctx.set(dut.instr.valid, valid)
            if valid:
                ctx.set(
                    dut.instr.payload, int.from_bytes(instructions[head].encode(), "little") & (1 << len(dut.instr.payload)) - 1
                )
            ctx.set(dut.sync_ready, sync_ready)
            ctx.set(dut.ar.ready, ar_ready)
            ctx.set(dut.write.grant, grant)
            ctx.set(dut.r.valid, offered is not None)
            if offered is not None:
                address, last, error = offered
                ctx.set(dut.r.payload.data, int.from_bytes(dram[(address + np.arange(beat_bytes)) % DRAM].tobytes(), "little"))
                ctx.set(dut.r.payload.last, last)
                ctx.set(dut.r.payload.error, error)

            start = ctx.get(dut.start)
            assert start == ctx.get(dut.instr.ready) == (valid and sync_ready and bool(model.load_free(state)))
            assert ctx.get(dut.wait) == (instructions[head]["wait"] if valid else 0)
            ar_valid = ctx.get(dut.ar.valid)
            asked = ar_valid and ar_ready
            assert model.load_beats(state) == (ctx.get(dut.ar.payload.beats) + 1 if ar_valid else 0)
            if asked:
                address, count = ctx.get(dut.ar.payload.address), ctx.get(dut.ar.payload.beats) + 1
                assert address % beat_bytes == 0
                assert address // 4096 == (address + count * beat_bytes - 1) // 4096
                assert count <= config.max_burst
                for i in range(count):
                    result.reads[address + i * beat_bytes] += 1
                    beats.append((cycle + latency, address + i * beat_bytes, i == count - 1, rng.random() < faults))
            writing = ctx.get(dut.write.valid)
            assert model.load_write(state) == (ctx.get(dut.write.address) if writing else -1)
            r_ready = ctx.get(dut.r.ready)
            taken = offered is not None and r_ready
            assert r_ready == model.load_ready(state)
            done = model.load_done(state)
            assert ctx.get(dut.done) == (done >= 0)
            if done >= 0:
                assert ctx.get(dut.post) == done
                result.dones.append((cycle, done))
                finished += 1
            status = model.load_status(state, grant, valid and not sync_ready)
            assert (ctx.get(dut.busy), ctx.get(dut.sync), ctx.get(dut.stall)) == (status == 1, status == 2, status == 3)
            assert ctx.get(dut.idle) == model.load_idle(state)
            assert ctx.get(dut.error) == failed
            result.status[status] += 1
            result.errors += failed
            failed = taken and offered[2]
            errors_sent += failed

            if writing and grant:
                count = ctx.get(dut.write.count)
                data = ctx.get(dut.write.data).to_bytes(beat_bytes, "little")
                result.memories[0][(ctx.get(dut.write.address) + np.arange(count)) % MEMORY] = list(data[:count])
                result.writes.append(cycle)
            if ctx.get(dut.param_valid):
                word = result.memories[1].reshape(-1, beat_bytes)[ctx.get(dut.param_address)]
                word[:] = list(ctx.get(dut.param_data).to_bytes(beat_bytes, "little"))
                result.writes.append(cycle)

            await ctx.tick()
            model.load_clock(state, table[min(head, len(table) - 1)], start, bases, asked, taken, grant)
            if taken:
                offered = None
            if start:
                result.starts.append(cycle)
                head += 1
            cycle += 1
            assert cycle < 30_000, "the unit hangs"

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    assert result.errors == errors_sent
    return result


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("chance", [1.0, 0.6])
def test_contents_and_cycles(name, chance):
    config = CONFIGS[name]
    rng = random.Random(f"{name} {chance}")
    dram = np.frombuffer(rng.randbytes(DRAM), np.uint8)
    instructions = [random_instruction(rng, config) for _ in range(14)]
    result = simulate(config, instructions, dram, rng, chance=chance, sync=0.7, faults=0.02, latency=rng.choice([0, 20]))
    expected = execute(config, instructions, dram)
    np.testing.assert_array_equal(result.memories[0], expected[0])
    np.testing.assert_array_equal(result.memories[1], expected[1])
    assert [post for _, post in result.dones] == [i["post"] for i in instructions]
    assert result.status[1] == len(result.writes)


def test_error_responses_are_reported():
    rng = random.Random(5)
    dram = np.zeros(DRAM, np.uint8)
    result = simulate(BASE, [Instruction(Opcode.LOAD, row_bytes=200)], dram, rng, faults=0.3)
    assert result.errors > 3


def test_a_beat_per_cycle_between_rows():
    """Rows of one and two beats, unaligned on both sides: the writes follow each other in every cycle."""
    rng = random.Random(6)
    dram = np.zeros(DRAM, np.uint8)
    load = Instruction(
        Opcode.LOAD, address=3, row_bytes=3, rows=20, row_stride=9, planes=2, plane_stride=1000, dst=5, dst_row_stride=7
    )
    writes = simulate(BASE, [load], dram, rng).writes
    # Row i covers bytes 3 + 9 i … 5 + 9 i of its plane: two beats of 4 bytes unless it starts at 0 or 1 modulo 4.
    offsets = [(plane * 1000 + 3 + 9 * row) % 4 for plane in range(2) for row in range(20)]
    assert len(writes) == sum(1 if offset < 2 else 2 for offset in offsets)
    assert writes[-1] - writes[0] + 1 == len(writes)


def test_requests_of_the_next_load_overlap_this_ones_data():
    """With a latency of 40 cycles and full bursts, several LOADs take little more than the sum of their beats."""
    rng = random.Random(7)
    dram = np.zeros(DRAM, np.uint8)
    loads = [Instruction(Opcode.LOAD, address=4096 * i, row_bytes=512, dst=512 * i) for i in range(6)]
    result = simulate(BASE, loads, dram, rng, latency=40)
    assert len(result.writes) == 6 * 128
    assert result.writes[-1] - result.starts[0] < 6 * 128 + 60


def test_fill_writes_a_beat_per_cycle():
    result = simulate(BASE, [Instruction(Opcode.FILL, row_bytes=18, rows=8, dst_row_stride=30, value=-7)], None, random.Random(8))
    assert len(result.writes) == 8 * 5
    assert result.writes[-1] - result.writes[0] + 1 == 40
    assert (result.memories[0] == 249).sum() == 8 * 18
