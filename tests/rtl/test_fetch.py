"""Fetch with its queues: values against the program, every handshake against the cycle model in every cycle."""

import random
from collections import deque

import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.sim import Simulator

from talos.config import PRESETS
from talos.isa import INSTRUCTION_BYTES, INSTRUCTIONS, Instruction, Opcode, unit_width
from talos.model.timing.control import (
    program_lists,
    program_targets,
    queue_clock,
    queue_head,
    queue_pop,
    queue_push,
    queue_room,
    queue_state,
    run_finished,
)
from talos.model.timing.fetch import (
    FETCH_INDEX,
    fetch_begin,
    fetch_clock,
    fetch_handed,
    fetch_idle,
    fetch_request,
    fetch_state,
    fetch_status,
    fetch_target,
)
from talos.model.timing.fields import instruction_rows
from talos.rtl.fetch import TARGETS, Fetch
from talos.rtl.queue import InstructionQueue

BASE = PRESETS["8x8"]
CONFIGS = {
    "64 bits": BASE,
    "32 bits, bursts of 4": BASE.replace(axi_data_width=32, max_burst=4, queue_depth=2),
    "512 bits, bursts of 1": BASE.replace(axi_data_width=512, max_burst=1, axi_addr_width=40, queue_depth=4),
}


def random_program(rng, count):
    program = []
    for _ in range(count):
        fmt = INSTRUCTIONS[rng.choice(list(Opcode))]
        values = {f.name: rng.randint(f.low, f.high) for f in fmt.body} | {"wait": rng.randrange(16), "post": rng.randrange(16)}
        program.append(Instruction(fmt.opcode, **values))
    return program


class Plane(wiring.Component):
    """Fetch and the five queues."""

    def __init__(self, config):
        self.config = config
        self.fetch = Fetch(config)
        self.queues = {unit: InstructionQueue(config, unit=unit) for unit in TARGETS}
        super().__init__({})

    def elaborate(self, platform):
        m = Module()
        m.submodules.fetch = self.fetch
        for unit, queue in self.queues.items():
            m.submodules[f"queue_{unit.name.lower()}"] = queue
            wiring.connect(m, getattr(self.fetch, unit.name.lower()), queue.i)
        return m


class Bench:
    """Drives fetch from a memory image of `program` and compares with the model; units pop their queues at random."""

    def __init__(self, config, program, seed, *, accept=0.7, beat=0.7, pop=0.3, latency=5):
        self.config, self.program, self.rng = config, program, random.Random(seed)
        self.accept, self.beat, self.pop, self.latency = accept, beat, pop, latency
        self.base = 0x1C0  # a multiple of 64
        self.image = b"".join(i.encode() if isinstance(i, Instruction) else i for i in program)
        self.dut = Plane(config)
        self.bus = deque()  # beats: (cycle in which it may arrive, data, last)
        self.popped = {unit: [] for unit in TARGETS}
        self.started = 0

    def run(self, body):
        sim = Simulator(self.dut)
        sim.add_clock(1e-6)
        sim.add_testbench(body)
        sim.run()

    async def begin(self, ctx):
        fetch = self.dut.fetch
        ctx.set(fetch.begin, 1)
        ctx.set(fetch.program, self.base)
        ctx.set(fetch.count, len(self.program))
        await ctx.tick()
        ctx.set(fetch.begin, 0)
        ctx.set(fetch.count, 0x123)
        self.cycle = 0
        self.asked = self.base

    def drive(self, ctx):
        """Set the inputs of a cycle. Returns whether the request was accepted, a beat arrived, and which units pop."""
        fetch, rng = self.dut.fetch, self.rng
        accept = rng.random() < self.accept
        ctx.set(fetch.ar.ready, accept)
        beat = bool(self.bus) and self.bus[0][0] <= self.cycle and rng.random() < self.beat
        ctx.set(fetch.r.valid, beat)
        if beat:
            _, data, last = self.bus.popleft()
            ctx.set(fetch.r.payload, {"data": data, "last": last, "error": 0})
        accepted = accept and ctx.get(fetch.ar.valid)
        if accepted:
            payload = ctx.get(fetch.ar.payload)
            assert payload.address == self.asked
            size = (payload.beats + 1) * self.config.beat_bytes
            assert payload.beats < self.config.max_burst and payload.address // 4096 == (payload.address + size - 1) // 4096
            for position in range(self.asked - self.base, self.asked - self.base + size, self.config.beat_bytes):
                data = int.from_bytes(self.image[position : position + self.config.beat_bytes], "little")
                self.bus.append(
                    (self.cycle + self.latency, data, position + self.config.beat_bytes == self.asked - self.base + size)
                )
            self.asked += size
        pops = []
        for unit, queue in self.dut.queues.items():
            ready = rng.random() < self.pop
            ctx.set(queue.o.ready, ready)
            if ready and ctx.get(queue.o.valid):
                self.popped[unit].append(ctx.get(queue.o.payload))
                pops.append(unit)
        return bool(accepted), beat, pops

    def words(self, unit):
        """What `unit` should get: the low bits of its instructions."""
        mask = (1 << unit_width(unit)) - 1
        return [int.from_bytes(i.encode(), "little") & mask for i in self.program if i.unit == unit]


@pytest.mark.parametrize(
    ("name", "seed", "rates"),
    [
        ("64 bits", 1, {}),
        ("32 bits, bursts of 4", 2, {"pop": 0.05}),
        ("512 bits, bursts of 1", 3, {"accept": 1, "beat": 1, "pop": 0.5, "latency": 1}),
        ("512 bits, bursts of 1", 4, {"accept": 0.2, "latency": 20}),
    ],
)
def test_program_reaches_the_queues_as_the_cycle_model_says(name, seed, rates):
    config = CONFIGS[name]
    program = random_program(random.Random(seed), 40)
    rows = instruction_rows(program)
    targets, lists = program_targets(rows), program_lists(rows)
    bench = Bench(config, program, seed, **rates)
    fetch = bench.dut.fetch
    state, queues = fetch_state(config), queue_state(config)

    async def body(ctx):
        await bench.begin(ctx)
        fetch_begin(state, len(program))
        while not run_finished(queues, fetch_idle(state), 1):
            assert bench.cycle < 4000
            for unit, queue in bench.dut.queues.items():
                assert ctx.get(queue.o.valid) == (queue_head(queues, unit) >= 0)
            accepted, beat, pops = bench.drive(ctx)
            asked, target = fetch_request(state), fetch_target(state, targets)
            assert ctx.get(fetch.ar.valid) == (asked > 0)
            if asked:
                assert ctx.get(fetch.ar.payload.beats) == asked - 1
            assert ctx.get(fetch.r.ready) == 1
            room = target > 0 and queue_room(queues, target)
            handed = int(fetch_handed(state))
            for unit in TARGETS:
                assert ctx.get(getattr(fetch, unit.name.lower()).valid) == (handed and target == unit)
            status = fetch_status(state)
            outputs = [ctx.get(getattr(fetch, port)) for port in ("start", "done", "busy", "sync", "stall", "idle")]
            assert outputs == [handed, handed, status == 1, 0, status == 3, fetch_idle(state)]
            assert ctx.get(fetch.index) == state[FETCH_INDEX]
            assert not ctx.get(fetch.bad_opcode) and not ctx.get(fetch.error)
            queue_clock(queues)
            for unit in pops:
                assert lists[unit, queue_head(queues, unit)] >= 0
                queue_pop(queues, unit)
            if handed:
                queue_push(queues, target)
            fetch_clock(state, accepted, beat, room)
            bench.cycle += 1
            await ctx.tick()
        assert all(ctx.get(queue.filled) == 0 for queue in bench.dut.queues.values())

    bench.run(body)
    for unit in TARGETS:
        assert bench.popped[unit] == bench.words(unit)


def test_no_more_than_the_reserved_room_is_asked_for():
    bench = Bench(CONFIGS["64 bits"], [Instruction(Opcode.STREAM)] * 60, 5, accept=1, beat=1, pop=0, latency=1)

    async def body(ctx):
        await bench.begin(ctx)
        for _ in range(300):
            bench.drive(ctx)
            bench.cycle += 1
            await ctx.tick()
        # The unit's queue is full, and FETCH_AHEAD more wait in fetch.
        assert ctx.get(bench.dut.fetch.index) == 8
        assert bench.asked - bench.base == INSTRUCTION_BYTES * (8 + 8) and not bench.bus
        assert ctx.get(bench.dut.fetch.stall) == 1

    bench.run(body)


def test_first_request_takes_one_cycle_and_the_hand_over_three():
    bench = Bench(CONFIGS["512 bits, bursts of 1"], [Instruction(Opcode.STORE, planes=7)], 6, accept=1, beat=1, pop=0, latency=0)
    fetch = bench.dut.fetch

    async def body(ctx):
        assert not ctx.get(fetch.ar.valid)
        await bench.begin(ctx)
        assert bench.drive(ctx)[0]  # begin + 1: asked and accepted
        await ctx.tick()
        assert bench.drive(ctx)[1]
        for _ in range(3):
            assert not ctx.get(fetch.start)
            await ctx.tick()
            bench.drive(ctx)
        assert ctx.get(fetch.start) and ctx.get(fetch.done) and ctx.get(fetch.store.valid) and not ctx.get(fetch.idle)
        await ctx.tick()
        bench.drive(ctx)
        assert ctx.get(fetch.idle) and not ctx.get(fetch.start)

    bench.run(body)


def test_an_empty_program_asks_for_nothing():
    bench = Bench(CONFIGS["64 bits"], [], 7)

    async def body(ctx):
        await bench.begin(ctx)
        for _ in range(20):
            bench.drive(ctx)
            assert ctx.get(bench.dut.fetch.idle) and not ctx.get(bench.dut.fetch.ar.valid)
            await ctx.tick()

    bench.run(body)


@pytest.mark.parametrize("opcode", [code for code in range(16) if code not in list(Opcode)])
def test_an_unknown_opcode_stops_with_its_index(opcode):
    bad = opcode.to_bytes(1, "little") + b"\xff" * (INSTRUCTION_BYTES - 1)
    bench = Bench(CONFIGS["512 bits, bursts of 1"], [Instruction(Opcode.FILL)] * 5 + [bad] + [Instruction(Opcode.LOAD)], opcode)
    fetch = bench.dut.fetch

    async def body(ctx):
        await bench.begin(ctx)
        handed = 0
        for _ in range(100):
            bench.drive(ctx)
            handed += ctx.get(fetch.start)
            if ctx.get(fetch.bad_opcode):
                break
            bench.cycle += 1
            await ctx.tick()
        assert ctx.get(fetch.bad_opcode) and ctx.get(fetch.index) == 5 == handed
        for _ in range(10):
            assert not ctx.get(fetch.start) and not ctx.get(fetch.idle)
            await ctx.tick()

    bench.run(body)


def test_an_error_beat_is_reported():
    bench = Bench(CONFIGS["64 bits"], [Instruction(Opcode.LOAD)] * 4, 8, accept=1, beat=1, pop=0, latency=0)
    fetch = bench.dut.fetch

    async def body(ctx):
        await bench.begin(ctx)
        for _ in range(40):
            bench.drive(ctx)
            assert not ctx.get(fetch.error)
            bench.cycle += 1
            await ctx.tick()
        ctx.set(fetch.r.payload, {"data": 0, "last": 0, "error": 1})
        assert not ctx.get(fetch.error)
        ctx.set(fetch.r.valid, 1)
        assert ctx.get(fetch.error)

    bench.run(body)
