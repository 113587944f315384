"""The store unit with its AXI write master: DRAM against NumPy, the bus's rules, and every output in every cycle against the cycle model."""

import random
from collections import Counter

import numpy as np
import pytest
from amaranth import Module
from amaranth.lib import wiring
from amaranth.sim import Simulator

from talos.config import PRESETS
from talos.isa import Instruction, Opcode
from talos.latency import ACT_READ, MAX_WRITES
from talos.model.timing import store as model
from talos.model.timing.fields import instruction_rows
from talos.rtl.axi_write import AxiWriteMaster
from talos.rtl.store import StoreUnit

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
    return Instruction(
        Opcode.STORE,
        region=rng.randrange(4),
        address=rng.randrange(1 << 32),
        row_bytes=rng.choice([1, rng.randint(1, 12), rng.randint(1, 5 * config.beat_bytes)]),
        rows=rng.choice([1, rng.randint(1, 6)]),
        planes=rng.choice([1, rng.randint(1, 3)]),
        row_stride=rng.choice([rng.randrange(-(1 << 31), 1 << 31), rng.randrange(-200, 200)]),
        plane_stride=rng.randrange(-(1 << 31), 1 << 31),
        src=rng.randrange(MEMORY),
        src_row_stride=rng.randrange(-300, 300),
        src_plane_stride=rng.randrange(-2000, 2000),
        wait=rng.randrange(16),
        post=rng.randrange(16),
    )


def execute(instructions, memory):
    """DRAM afterwards: plain loops of the instruction's description."""
    dram = np.zeros(DRAM, np.uint8)
    for i in instructions:
        for plane in range(i["planes"]):
            for row in range(i["rows"]):
                length = np.arange(i["row_bytes"])
                first = BASES[i["region"]] + i["address"] + plane * i["plane_stride"] + row * i["row_stride"]
                source = i["src"] + plane * i["src_plane_stride"] + row * i["src_row_stride"]
                dram[(first + length) % DRAM] = memory[(source + length) % MEMORY]
    return dram


class Result:
    def __init__(self):
        self.dram = np.zeros(DRAM, np.uint8)
        self.starts = []
        self.dones = []
        self.grants = []
        self.beats = []  # cycles in which the bus took a beat
        self.status = Counter()
        self.errors = 0
        self.most_bursts = 0


def simulate(
    config, instructions, memory, rng, *, chance=1.0, sync=1.0, faults=0.0, latency=4, halt_after=None, data_first=False
):
    """Runs RTL and cycle model together, compares all outputs, applies the writes. `chance`: of each partner to be ready in a cycle.

    data_first: the slave accepts an address only while data are offered, and data only after their address, as AXI allows.
    """
    top = Module()
    top.submodules.unit = dut = StoreUnit(config)
    top.submodules.master = bus = AxiWriteMaster(config)
    wiring.connect(top, dut.aw, bus.aw)
    wiring.connect(top, dut.w, bus.w)
    wiring.connect(top, bus.b, dut.b)
    state = model.store_state(config)
    table = instruction_rows(instructions)
    bases = np.array(BASES, np.int64)
    beat_bytes = config.beat_bytes
    result = Result()
    errors_sent = 0

    async def bench(ctx):
        nonlocal errors_sent
        for i, base in enumerate(BASES):
            ctx.set(dut.bases[i], base)
        head, cycle = 0, 0
        bursts = []  # [address, beats] offered, whose data is to come
        offered = False  # the address on AW is in `bursts`
        accepted, complete, owed = 0, 0, 0  # addresses accepted, bursts whose data are complete, bursts with both
        responses = []  # cycles from which a response may be given
        reads = {}
        failures = [False, False]
        held = {}
        while len(result.dones) < len(instructions) or not ctx.get(dut.idle) or any(failures):
            halted = halt_after is not None and cycle >= halt_after
            if halted and not ctx.get(bus.pending):
                break
            valid = head < len(instructions) and rng.random() < max(chance, 0.5)
            sync_ready = rng.random() < sync
            grant = rng.random() < chance
            awready = rng.random() < chance and (not data_first or bool(ctx.get(bus.m_axi_wvalid)))
            wready = rng.random() < chance and (not data_first or accepted > complete)
            answer = bool(responses) and responses[0] <= cycle and rng.random() < chance
            fault = rng.random() < faults
            ctx.set(dut.instr.valid, valid)
            if valid:
                ctx.set(
                    dut.instr.payload, int.from_bytes(instructions[head].encode(), "little") & (1 << len(dut.instr.payload)) - 1
                )
            ctx.set(dut.sync_ready, sync_ready)
            ctx.set(dut.read.grant, grant)
            ctx.set(dut.read.data, reads.pop(cycle, rng.randrange(1 << 8 * beat_bytes)))
            ctx.set(bus.halt, halted)
            ctx.set(bus.m_axi_awready, awready)
            ctx.set(bus.m_axi_wready, wready)
            ctx.set(bus.m_axi_bvalid, answer)
            ctx.set(bus.m_axi_bresp, 2 * fault)
            if answer:
                responses.pop(0)

            start = ctx.get(dut.start)
            assert start == ctx.get(dut.instr.ready)
            assert ctx.get(dut.wait) == (instructions[head]["wait"] if valid else 0)
            reading = ctx.get(dut.read.valid)
            granted = reading and grant
            if granted:
                source = (ctx.get(dut.read.address) + np.arange(beat_bytes)) % MEMORY
                reads[cycle + ACT_READ] = int.from_bytes(memory[source].tobytes(), "little")
                result.grants.append(cycle)

            if ctx.get(dut.done):
                result.dones.append((cycle, ctx.get(dut.post)))
            assert ctx.get(dut.error) == failures.pop(0)
            failures.append(answer and fault)
            errors_sent += answer and fault
            result.errors += ctx.get(dut.error)

            # The bus: outputs equal the model's, hold until accepted, and data never comes before its address is offered.
            seen = {
                name: ctx.get(getattr(bus, f"m_axi_{name}"))
                for name in ("awvalid", "awaddr", "awlen", "wvalid", "wlast", "wdata", "wstrb")
            }
            assert all(seen[name] == value for name, value in held.items())
            held = {}
            if seen["awvalid"] and not awready:
                held |= {name: seen[name] for name in ("awvalid", "awaddr", "awlen")}
            if seen["wvalid"] and not wready:
                held |= {name: seen[name] for name in ("wvalid", "wlast", "wdata", "wstrb")}
            if not halted:  # the cycle model has no halt
                assert start == (valid and sync_ready and bool(model.store_free(state)))
                assert model.store_request(state) == (ctx.get(dut.read.address) if reading else -1)
                assert model.store_done(state) == (ctx.get(dut.post) if ctx.get(dut.done) else -1)
                assert ctx.get(dut.idle) == model.store_idle(state)
                status = model.store_status(state, wready, valid and not sync_ready)
                assert (ctx.get(dut.busy), ctx.get(dut.sync), ctx.get(dut.stall)) == (status == 1, status == 2, status == 3)
                result.status[status] += 1
                assert seen["awvalid"] == state[model.STORE_AWVALID]
                assert seen["wvalid"] == state[model.STORE_WVALID]
                if seen["awvalid"]:
                    assert seen["awlen"] + 1 == state[model.STORE_AWBEATS]
                if seen["wvalid"]:
                    assert seen["wlast"] == state[model.STORE_WLAST]
            if seen["awvalid"] and not offered:
                address, count = seen["awaddr"], seen["awlen"] + 1
                assert address % beat_bytes == 0 and count <= config.max_burst
                assert address // 4096 == (address + count * beat_bytes - 1) // 4096
                bursts.append([address, count])
            offered = bool(seen["awvalid"]) and not awready
            accepted += bool(seen["awvalid"]) and awready
            if seen["wvalid"]:
                assert bursts, "data before its burst's address"
                address, left = bursts[0]
                assert seen["wlast"] == (left == 1)
                if wready:
                    result.beats.append(cycle)
                    data = seen["wdata"].to_bytes(beat_bytes, "little")
                    for i in range(beat_bytes):
                        if seen["wstrb"] >> i & 1:
                            result.dram[(address + i) % DRAM] = data[i]
                    bursts[0] = [address + beat_bytes, left - 1]
                    if left == 1:
                        bursts.pop(0)
                        complete += 1
            if owed < min(accepted, complete):
                owed += 1
                responses.append(cycle + latency)
            result.most_bursts = max(result.most_bursts, len(bursts) + complete - owed + len(responses))

            await ctx.tick()
            if not halted:
                model.store_clock(state, table[min(head, len(table) - 1)], start, bases, granted, awready, wready, answer)
            if start:
                result.starts.append(cycle)
                head += 1
            cycle += 1
            assert cycle < 30_000, "the unit hangs"
        if halt_after is not None:
            assert not bursts and not responses and owed == accepted == complete

    simulator = Simulator(top)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    if halt_after is None:
        assert result.errors == errors_sent
    return result


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("chance", [1.0, 0.6])
def test_contents_and_cycles(name, chance):
    config = CONFIGS[name]
    rng = random.Random(f"{name} {chance}")
    memory = np.frombuffer(rng.randbytes(MEMORY), np.uint8)
    instructions = [random_instruction(rng, config) for _ in range(12)]
    latency = rng.choice([1, 30])
    result = simulate(config, instructions, memory, rng, chance=chance, sync=0.7, faults=0.05, latency=latency)
    np.testing.assert_array_equal(result.dram, execute(instructions, memory))
    assert [post for _, post in result.dones] == [i["post"] for i in instructions]
    assert result.most_bursts <= MAX_WRITES


def test_a_beat_per_cycle():
    """Unaligned rows on both sides; reads are granted in every cycle and the bus takes a beat in every cycle."""
    memory = np.arange(MEMORY).astype(np.uint8)
    store = Instruction(Opcode.STORE, address=5, row_bytes=300, rows=3, row_stride=301, src=3, src_row_stride=311)
    result = simulate(BASE, [store], memory, random.Random(1))
    assert result.beats[-1] - result.beats[0] + 1 == len(result.beats) == 3 * 76
    assert result.beats[0] == result.grants[0] + ACT_READ + 3


def test_reads_wait_for_room_and_responses_limit_bursts():
    memory = np.zeros(MEMORY, np.uint8)
    store = Instruction(Opcode.STORE, row_bytes=4, rows=60, row_stride=100, src_row_stride=4)
    result = simulate(BASE, [store], memory, random.Random(2), latency=400)
    assert result.most_bursts == MAX_WRITES
    assert len(result.beats) == 60


def test_halt_finishes_the_bursts_under_way():
    memory = np.zeros(MEMORY, np.uint8)
    store = Instruction(Opcode.STORE, row_bytes=1000, rows=2, row_stride=1000)
    result = simulate(BASE, [store], memory, random.Random(3), halt_after=10, chance=0.8)
    assert 0 < len(result.beats) < 500


@pytest.mark.parametrize("chance", [1.0, 0.5])
def test_a_slave_may_wait_for_data_before_it_accepts_their_address(chance):
    rng = random.Random(f"data first {chance}")
    memory = np.frombuffer(rng.randbytes(MEMORY), np.uint8)
    instructions = [random_instruction(rng, BASE) for _ in range(8)]
    result = simulate(BASE, instructions, memory, rng, chance=chance, data_first=True)
    np.testing.assert_array_equal(result.dram, execute(instructions, memory))
