"""Bursts against their definition and against the cycle model."""

import random

import numpy as np
import pytest
from amaranth.sim import Simulator

from talos.config import PRESETS
from talos.model.timing import requests as model
from talos.rtl.requests import RowRequests

BASE = PRESETS["4x4"]
CONFIGS = {
    "4 bytes, 32 beats": BASE,
    "4 bytes, 1 beat": BASE.replace(max_burst=1),
    "4 bytes, 256 beats": BASE.replace(max_burst=256, axi_addr_width=40),
    "64 bytes, 64 beats": BASE.replace(rows=8, cols=8, axi_data_width=512, max_burst=64, weight_fifo_bytes=8192),
}


def random_instruction(rng, config):
    return {
        "address": rng.randrange(1 << config.axi_addr_width),
        "row_bytes": rng.choice([1, rng.randint(1, 40), rng.randint(1, 3 * 4096)]),
        "rows": rng.randint(1, 4),
        "planes": rng.randint(1, 3),
        "row_stride": rng.randrange(-(1 << 31), 1 << 31),
        "plane_stride": rng.randrange(-(1 << 31), 1 << 31),
        "tag": rng.randrange(16),
    }


def expected_bursts(config, instruction):
    """(address of each beat) lists, one per burst, from the definition alone: maximal runs inside segments of `max_burst` beats."""
    beat, segment = config.beat_bytes, config.beat_bytes * config.max_burst
    bursts = []
    for plane in range(instruction["planes"]):
        for row in range(instruction["rows"]):
            first = instruction["address"] + plane * instruction["plane_stride"] + row * instruction["row_stride"]
            first %= 1 << config.axi_addr_width
            beats = range(first // beat * beat, first + instruction["row_bytes"], beat)
            for address in beats:
                if address == beats[0] or address % segment == 0:
                    bursts.append([])
                bursts[-1].append(address % (1 << config.axi_addr_width))
    return bursts


def simulate(config, instructions, ready_chance, rng):
    """Bursts (cycle, address, beats, tag if it is the instruction's last) of RTL; compares the cycle model in each cycle."""
    dut = RowRequests(config=config, tag_width=4)
    state = np.concatenate([model.geometry(config), np.zeros(model.REQUESTS_SIZE, np.int64)])
    block = model.GEOMETRY_SIZE
    bursts = []

    async def bench(ctx):
        waiting = list(instructions)
        cycle = 0
        while waiting or ctx.get(dut.active):
            ready = rng.random() < ready_chance
            start = bool(waiting) and ctx.get(dut.i.ready) and rng.random() < 0.9
            if start:
                for name, value in waiting[0].items():
                    ctx.set(getattr(dut.i.payload, name), value - (name in ("row_bytes", "rows", "planes")))
                for flag, count in (("ones", 1), ("twos", 2)):
                    flags = (waiting[0]["rows"] == count) | (waiting[0]["planes"] == count) << 1
                    ctx.set(getattr(dut.i.payload, flag), flags)
            ctx.set(dut.i.valid, start)
            ctx.set(dut.burst.ready, ready)
            valid = ctx.get(dut.burst.valid)
            beats = ctx.get(dut.burst.payload.beats) + 1 if valid else 0
            tag = ctx.get(dut.burst_tag) if valid and ctx.get(dut.burst_last) else -1
            assert (ctx.get(dut.i.ready), ctx.get(dut.active)) == (
                model.requests_free(state, block),
                model.requests_active(state, block),
            )
            assert beats == model.requests_beats(state, block)
            assert not valid or tag == model.requests_tag(state, block)
            if valid and ready:
                bursts.append((cycle, ctx.get(dut.burst.payload.address), beats, tag))
            await ctx.tick()
            model.requests_clock(state, block, int(valid and ready))
            if start:
                model.requests_load(state, block, *waiting.pop(0).values())
            cycle += 1
            assert cycle < 20_000

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return bursts


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("ready_chance", [1.0, 0.6])
def test_bursts_cover_every_row(name, ready_chance):
    config = CONFIGS[name]
    rng = random.Random(f"{name} {ready_chance}")
    instructions = [random_instruction(rng, config) for _ in range(8)]
    if config.max_burst == 1:
        for instruction in instructions:
            instruction["row_bytes"] = min(instruction["row_bytes"], 200)
    bursts = simulate(config, instructions, ready_chance, rng)

    expected = []
    for instruction in instructions:
        listed = expected_bursts(config, instruction)
        expected += [(burst[0], len(burst), -1) for burst in listed[:-1]]
        expected.append((listed[-1][0], len(listed[-1]), instruction["tag"]))
    assert [burst[1:] for burst in bursts] == expected
    for _, address, beats, _ in bursts:
        assert beats <= config.max_burst
        assert address // 4096 == (address + beats * config.beat_bytes - 1) // 4096


def test_one_burst_per_cycle():
    config = BASE
    instruction = {"address": 3, "row_bytes": 5, "rows": 30, "planes": 2, "row_stride": 64, "plane_stride": 9000, "tag": 1}
    bursts = simulate(config, [instruction], 1.0, random.Random(1))
    cycles = [cycle for cycle, *_ in bursts]
    assert len(cycles) == 60
    assert cycles == list(range(cycles[0], cycles[0] + 60))
