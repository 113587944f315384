"""The memory of the board: random bursts of the bus and bytes of the host at the same time, against an array."""

import random

import numpy as np
import pytest
from amaranth.hdl import Cat
from amaranth.lib.wiring import In, Out
from amaranth.sim import Simulator

from talos.config import PRESETS
from talos.rtl.board.memory import BoardMemory

SIZE = 8192
CONFIG = PRESETS["4x4"]
BEAT = CONFIG.beat_bytes
BUS = {
    **{f"m_axi_{c}{name}": Out(width) for c in ("ar", "aw") for name, width in (("addr", 32), ("len", 8), ("id", 2), ("valid", 1))},
    **{f"m_axi_{c}ready": In(1) for c in ("ar", "aw", "w")},
    **{"m_axi_rid": In(2), "m_axi_rdata": In(32), "m_axi_rresp": In(2), "m_axi_rlast": In(1), "m_axi_rvalid": In(1)},
    **{"m_axi_rready": Out(1), "m_axi_wdata": Out(32), "m_axi_wstrb": Out(4), "m_axi_wlast": Out(1), "m_axi_wvalid": Out(1)},
    **{"m_axi_bid": In(2), "m_axi_bresp": In(2), "m_axi_bvalid": In(1), "m_axi_bready": Out(1)},
}  # fmt: skip


def run(*benches):
    dut = BoardMemory(config=CONFIG, bus=BUS, size=SIZE)
    sim = Simulator(dut)
    sim.add_clock(1e-6)
    for bench in benches:

        async def testbench(ctx, bench=bench):
            await bench(ctx, dut)

        sim.add_testbench(testbench)
    sim.run()


async def when(ctx, signal, *others):
    """Clock until an edge at which `signal` is 1; what `others` were at it, and the cycles that took."""
    for cycles in range(1, 2000):
        *_, ready, values = await ctx.tick().sample(signal, Cat(*others))
        if ready:
            return values, cycles
    raise AssertionError(signal.name)


async def write_burst(ctx, dut, rng, address, beats, memory):
    for name, value in (("addr", address), ("len", len(beats) - 1), ("id", 1), ("valid", 1)):
        ctx.set(getattr(dut, f"m_axi_aw{name}"), value)
    await when(ctx, dut.m_axi_awready)
    ctx.set(dut.m_axi_awvalid, 0)
    for i, beat in enumerate(beats):
        strobe = rng.choice([15, rng.randrange(16)])
        for name, value in (
            ("data", int.from_bytes(beat, "little")),
            ("strb", strobe),
            ("last", i == len(beats) - 1),
            ("valid", 1),
        ):
            ctx.set(getattr(dut, f"m_axi_w{name}"), value)
        await when(ctx, dut.m_axi_wready)
        ctx.set(dut.m_axi_wvalid, 0)
        for lane in range(BEAT):
            if strobe >> lane & 1 and address < SIZE:
                memory[address + BEAT * i + lane] = beat[lane]
        if rng.random() < 0.2:
            await ctx.tick()
    ctx.set(dut.m_axi_bready, 1)
    values, _ = await when(ctx, dut.m_axi_bvalid, dut.m_axi_bid, dut.m_axi_bresp)
    assert values == (13 if address >= SIZE else 1)
    ctx.set(dut.m_axi_bready, 0)


async def read_burst(ctx, dut, rng, address, count, identity, pauses):
    """The data, and the cycles from the accepted address to the last beat."""
    for name, value in (("addr", address), ("len", count - 1), ("id", identity), ("valid", 1)):
        ctx.set(getattr(dut, f"m_axi_ar{name}"), value)
    await when(ctx, dut.m_axi_arready)
    ctx.set(dut.m_axi_arvalid, 0)
    data, cycles = b"", 0
    for i in range(count):
        while rng.random() < pauses:
            await ctx.tick()
        ctx.set(dut.m_axi_rready, 1)
        values, waited = await when(ctx, dut.m_axi_rvalid, dut.m_axi_rdata, dut.m_axi_rid, dut.m_axi_rlast, dut.m_axi_rresp)
        cycles += waited
        data += (values & 0xFFFFFFFF).to_bytes(BEAT, "little")
        assert values >> 32 == identity | (i == count - 1) << 2 | (3 if address >= SIZE else 0) << 3
        ctx.set(dut.m_axi_rready, 0)
    return data, cycles


async def host_access(ctx, dut, address, value=None):
    """Read the byte, or write it."""
    for name, level in (("valid", 1), ("write", value is not None), ("address", address), ("data", value or 0)):
        ctx.set(getattr(dut, f"host_{name}"), level)
    await when(ctx, dut.host_ready)
    ctx.set(dut.host_valid, 0)
    return (await when(ctx, dut.host_read_valid, dut.host_read_data))[0] if value is None else None


@pytest.mark.parametrize("seed", [1, 2])
def test_bus_and_host_at_once(seed):
    memory = np.zeros(SIZE, np.uint8)
    running = True

    async def bus(ctx, dut):
        nonlocal running
        rng = random.Random(seed)
        for _ in range(60):
            count = rng.choice([1, 2, 7, 32])
            address = rng.randrange(0, SIZE // 2, 4096) + BEAT * rng.randrange(1024 - count)
            if rng.random() < 0.5:
                await write_burst(ctx, dut, rng, address, [rng.randbytes(BEAT) for _ in range(count)], memory)
            else:
                data, _ = await read_burst(ctx, dut, rng, address, count, rng.randrange(3), rng.choice([0, 0.5]))
                assert data == memory[address : address + BEAT * count].tobytes()
        running = False

    async def host(ctx, dut):
        rng = random.Random(seed + 100)
        while running:
            address = rng.randrange(SIZE // 2, SIZE)  # its own half
            if rng.random() < 0.5:
                memory[address] = value = rng.randrange(256)
                await host_access(ctx, dut, address, value)
            else:
                assert await host_access(ctx, dut, address) == memory[address]
            for _ in range(rng.choice([0, 0, 3])):
                await ctx.tick()

    run(bus, host)


def test_a_beat_per_cycle():
    async def bench(ctx, dut):
        _, cycles = await read_burst(ctx, dut, random.Random(1), 128, 64, 2, 0)
        assert cycles == 64 + 4  # the way through address, memory, register and queue

    run(bench)


def test_beyond_the_memory():
    async def bench(ctx, dut):
        memory = np.zeros(SIZE, np.uint8)
        rng = random.Random(4)
        await write_burst(ctx, dut, rng, SIZE, [b"abcd"] * 4, memory)
        await read_burst(ctx, dut, rng, 1 << 30, 4, 1, 0)
        data, _ = await read_burst(ctx, dut, rng, 0, 4, 1, 0)
        assert data == bytes(16)

    run(bench)
