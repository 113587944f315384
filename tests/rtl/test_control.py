"""Control: register access over AXI4-Lite, runs, errors, abort, interrupt, counters; queues and end of a run as in the cycle model."""

import random

import numpy as np
import pytest
from amaranth.sim import Simulator

from talos.config import PRESETS
from talos.isa import SYNC_UNITS, Unit
from talos.model.timing.control import (
    count_status,
    queue_clock,
    queue_empty,
    queue_head,
    queue_pop,
    queue_push,
    queue_room,
    queue_state,
    run_finished,
)
from talos.registers import COUNTERS, IDENTIFICATION, REGISTERS, ErrorCause, counter_offset
from talos.rtl.control import Control

CONFIG = PRESETS["8x8"].replace(axi_addr_width=40)
ALL_IDLE = (1 << len(Unit)) - 1
START, ABORT = 1, 2
BUSY, DONE, ERROR, ABORTING = 1, 2, 4, 8


def simulate(body, config=CONFIG):
    dut = Control(config)

    async def bench(ctx):
        await body(ctx, dut)

    sim = Simulator(dut)
    sim.add_clock(1e-6)
    sim.add_testbench(bench)
    sim.run()


async def write(ctx, dut, offset, value, *, strobe=15, address_delay=0, data_delay=0, response_delay=0):
    """One AXI4-Lite write; returns in the cycle after its response. The registers change one cycle after the later handshake."""
    address, data = False, False
    cycle = 0
    ctx.set(dut.s_axil_awaddr, offset)
    ctx.set(dut.s_axil_wdata, value)
    ctx.set(dut.s_axil_wstrb, strobe)
    ctx.set(dut.s_axil_bready, 0)
    while not (address and data):
        ctx.set(dut.s_axil_awvalid, not address and cycle >= address_delay)
        ctx.set(dut.s_axil_wvalid, not data and cycle >= data_delay)
        assert not ctx.get(dut.s_axil_bvalid)
        address |= bool(ctx.get(dut.s_axil_awvalid) and ctx.get(dut.s_axil_awready))
        data |= bool(ctx.get(dut.s_axil_wvalid) and ctx.get(dut.s_axil_wready))
        cycle += 1
        await ctx.tick()
    ctx.set(dut.s_axil_awvalid, 0)
    ctx.set(dut.s_axil_wvalid, 0)
    await ctx.tick()
    for _ in range(response_delay):
        assert ctx.get(dut.s_axil_bvalid)
        await ctx.tick()
    ctx.set(dut.s_axil_bready, 1)
    assert ctx.get(dut.s_axil_bvalid) and ctx.get(dut.s_axil_bresp) == 0
    await ctx.tick()
    assert not ctx.get(dut.s_axil_bvalid)


async def read(ctx, dut, offset, *, response_delay=0):
    """One AXI4-Lite read."""
    ctx.set(dut.s_axil_araddr, offset)
    ctx.set(dut.s_axil_arvalid, 1)
    ctx.set(dut.s_axil_rready, 0)
    assert ctx.get(dut.s_axil_arready)
    await ctx.tick()
    ctx.set(dut.s_axil_arvalid, 0)
    for _ in range(10):
        if ctx.get(dut.s_axil_rvalid):
            break
        await ctx.tick()
    for _ in range(response_delay):
        await ctx.tick()
    ctx.set(dut.s_axil_rready, 1)
    assert ctx.get(dut.s_axil_rvalid) and ctx.get(dut.s_axil_rresp) == 0
    data = ctx.get(dut.s_axil_rdata)
    await ctx.tick()
    assert not ctx.get(dut.s_axil_rvalid)
    return data


async def status(ctx, dut):
    return await read(ctx, dut, REGISTERS["STATUS"].offset)


async def start(ctx, dut):
    """Start a run with all units idle but load; returns in the first cycle of the run."""
    ctx.set(dut.idle, ALL_IDLE & ~(1 << Unit.LOAD))
    await write(ctx, dut, REGISTERS["CONTROL"].offset, START)


def test_registers_hold_what_is_written_and_the_rest_reads_as_documented():
    rng = random.Random(1)

    async def body(ctx, dut):
        expected = {offset: 0 for offset in range(0, 0x200, 4)}
        expected[REGISTERS["IDENTIFICATION"].offset] = IDENTIFICATION
        expected[REGISTERS["CONFIG_HASH"].offset] = int(CONFIG.hash, 16)
        implemented = {name: 0xFFFFFFFF for name, register in REGISTERS.items() if register.access == "rw"}
        implemented |= {name: 0xFF for name in implemented if name.endswith("_HIGH")} | {"IRQ_ENABLE": 3}  # 40 address bits
        control = REGISTERS["CONTROL"].offset
        for _ in range(120):
            offset = rng.choice([o for o in expected if o != control])
            value, strobe = rng.randrange(1 << 32), rng.choice([15, rng.randrange(16)])
            delays = {f"{channel}_delay": rng.choice([0, 0, rng.randrange(4)]) for channel in ("address", "data", "response")}
            await write(ctx, dut, offset, value, strobe=strobe, **delays)
            name = next((n for n, r in REGISTERS.items() if r.offset == offset), "")
            if name in implemented:
                mask = sum(0xFF << 8 * i for i in range(4) if strobe >> i & 1)
                expected[offset] = ((expected[offset] & ~mask) | (value & mask)) & implemented[name]
        for offset, value in expected.items():
            assert await read(ctx, dut, offset, response_delay=rng.randrange(2)) == value, hex(offset)
        low, high = expected[REGISTERS["PROGRAM_LOW"].offset], expected[REGISTERS["PROGRAM_HIGH"].offset]
        assert ctx.get(dut.program) == low | high << 32 and low and high
        assert ctx.get(dut.count) == expected[REGISTERS["PROGRAM_COUNT"].offset]
        for i in range(4):
            halves = [expected[REGISTERS[f"REGION{i}_{half}"].offset] for half in ("LOW", "HIGH")]
            assert ctx.get(dut.bases[i]) == halves[0] | halves[1] << 32

    simulate(body)


def test_high_address_registers_read_0_with_32_bit_addresses():
    async def body(ctx, dut):
        await write(ctx, dut, REGISTERS["REGION2_HIGH"].offset, 0xFFFFFFFF)
        assert await read(ctx, dut, REGISTERS["REGION2_HIGH"].offset) == 0

    simulate(body, PRESETS["4x4"])


def test_a_run_against_the_cycle_model_of_queues_end_and_counters():
    """Fetch hands out instructions and units run them, all at random; control must end the run in the model's cycle."""
    rng = random.Random(2)
    queues, counters = queue_state(CONFIG), np.zeros((len(Unit), len(COUNTERS)), np.int64)

    async def body(ctx, dut):
        ctx.set(dut.idle, ALL_IDLE)
        ctx.set(dut.busy, ALL_IDLE)  # not counted: there is no run
        assert ctx.get(dut.core_reset)
        ctx.set(dut.s_axil_awaddr, REGISTERS["CONTROL"].offset)
        ctx.set(dut.s_axil_wdata, START)
        ctx.set(dut.s_axil_wstrb, 1)
        ctx.set(dut.s_axil_awvalid, 1)
        ctx.set(dut.s_axil_wvalid, 1)
        await ctx.tick()
        ctx.set(dut.s_axil_awvalid, 0)
        ctx.set(dut.s_axil_wvalid, 0)
        for _ in range(2):
            assert ctx.get(dut.core_reset) and not ctx.get(dut.begin)
            await ctx.tick()

        left, remaining, cycle = 60, [0] * len(Unit), 0
        while True:
            assert cycle < 3000
            assert not ctx.get(dut.core_reset) and not ctx.get(dut.unit_reset) and ctx.get(dut.begin) == (cycle == 0)
            fetch_idle = left == 0
            idle = [fetch_idle] + [remaining[unit] == 0 for unit in Unit if unit != Unit.FETCH]
            states = [rng.choice([0, 1, 2, 3]) for _ in Unit]
            done = cycle > 0 and run_finished(queues, fetch_idle, all(idle[1:]))
            empty = [True] + [queue_empty(queues, unit) for unit in Unit if unit != Unit.FETCH]
            # In the first cycle fetch still looks idle.
            quiet = [a and b for a, b in zip(idle, empty, strict=True)]
            ctx.set(dut.idle, ALL_IDLE if cycle == 0 else sum(q << u for u, q in enumerate(quiet)))
            for position, name in enumerate(COUNTERS):
                ctx.set(getattr(dut, name), sum((s == position + 1) << u for u, s in enumerate(states)))
            for unit, state in zip(Unit, states, strict=True):
                count_status(counters, unit, state)
            unit = rng.choice(list(Unit)[1:])
            hand = cycle > 0 and left > 0 and rng.random() < 0.5 and queue_room(queues, unit)
            heads = [queue_head(queues, waiter) for waiter in Unit]
            queue_clock(queues)
            for waiter in list(Unit)[1:]:
                if remaining[waiter] == 0 and heads[waiter] >= 0 and rng.random() < 0.3:
                    remaining[waiter] = rng.randrange(1, 8)
                    queue_pop(queues, waiter)
                elif remaining[waiter]:
                    remaining[waiter] -= 1
            if hand:
                queue_push(queues, unit)
                left -= 1
            await ctx.tick()
            cycle += 1
            if done:
                break
        for _ in range(2):
            assert not ctx.get(dut.core_reset)
            await ctx.tick()
        assert ctx.get(dut.core_reset) and ctx.get(dut.unit_reset) and not ctx.get(dut.begin)
        ctx.set(dut.s_axil_bready, 1)
        await ctx.tick()
        assert await status(ctx, dut) == DONE
        assert await read(ctx, dut, REGISTERS["CYCLES_LOW"].offset) == cycle > 60
        assert await read(ctx, dut, REGISTERS["CYCLES_HIGH"].offset) == 0
        for unit in Unit:
            for position, name in enumerate(COUNTERS):
                assert await read(ctx, dut, counter_offset(unit, name)) == counters[unit, position]

    simulate(body)
    assert counters.min() > 0


def test_an_empty_program_takes_two_cycles_and_a_new_run_counts_from_zero():
    async def body(ctx, dut):
        ctx.set(dut.idle, ALL_IDLE)
        ctx.set(dut.stall, ALL_IDLE)
        for _ in range(2):
            await write(ctx, dut, REGISTERS["CONTROL"].offset, START)
            assert await status(ctx, dut) == BUSY
            assert await status(ctx, dut) == DONE
            assert await read(ctx, dut, REGISTERS["CYCLES_LOW"].offset) == 2
            assert await read(ctx, dut, counter_offset(Unit.STORE, "stall")) == 2
        await write(ctx, dut, REGISTERS["IRQ_CLEAR"].offset, 1)
        await write(ctx, dut, REGISTERS["CONTROL"].offset, START, strobe=0b1110)  # the byte with the bit is not written
        assert await status(ctx, dut) == 0

    simulate(body)


def test_done_interrupt_only_when_enabled_and_until_cleared():
    async def body(ctx, dut):
        ctx.set(dut.idle, ALL_IDLE)
        await write(ctx, dut, REGISTERS["CONTROL"].offset, START)
        await ctx.tick().repeat(4)
        assert not ctx.get(dut.irq)
        await write(ctx, dut, REGISTERS["IRQ_ENABLE"].offset, 2)
        await ctx.tick().repeat(4)
        assert not ctx.get(dut.irq)
        await write(ctx, dut, REGISTERS["IRQ_ENABLE"].offset, 1)
        await ctx.tick()
        assert ctx.get(dut.irq)
        await write(ctx, dut, REGISTERS["IRQ_CLEAR"].offset, 2)
        await ctx.tick()
        assert ctx.get(dut.irq)
        await write(ctx, dut, REGISTERS["IRQ_CLEAR"].offset, 1)
        await ctx.tick()
        assert not ctx.get(dut.irq)

    simulate(body)


def post_256_times(unit):
    async def cause(ctx, dut):
        ctx.set(dut.post[unit], 0b0001)
        ctx.set(dut.done, 1 << unit)
        await ctx.tick().repeat(255)
        assert not ctx.get(dut.halt)

    return cause


def failed_transfer(unit):
    async def cause(ctx, dut):
        ctx.set(dut.error, 1 << unit)

    return cause


async def bad_opcode(ctx, dut):
    ctx.set(dut.bad_opcode, 1)
    ctx.set(dut.bad_index, 0x12345)


ERRORS = {
    "fetch": (failed_transfer(Unit.FETCH), ErrorCause.READ_ERROR, Unit.FETCH),
    "load": (failed_transfer(Unit.LOAD), ErrorCause.READ_ERROR, Unit.LOAD),
    "weights": (failed_transfer(Unit.WEIGHTS), ErrorCause.READ_ERROR, Unit.WEIGHTS),
    "store": (failed_transfer(Unit.STORE), ErrorCause.WRITE_ERROR, Unit.STORE),
    "opcode": (bad_opcode, ErrorCause.BAD_OPCODE, 0x12345),
    "overflow": (post_256_times(Unit.VECTOR), ErrorCause.SEMAPHORE_OVERFLOW, Unit.VECTOR),
}


@pytest.mark.parametrize("name", ERRORS)
def test_an_error_stops_the_core_drains_the_bus_and_is_reported(name):
    raise_error, cause, info = ERRORS[name]

    async def body(ctx, dut):
        await write(ctx, dut, REGISTERS["IRQ_ENABLE"].offset, 3)
        await start(ctx, dut)
        ctx.set(dut.pending, 1)
        await ctx.tick()
        assert ctx.get(dut.sync_ready) == ALL_IDLE
        await raise_error(ctx, dut)
        assert not ctx.get(dut.halt)
        await ctx.tick()
        ctx.set(dut.done, 0)
        ctx.set(dut.bad_opcode, 0)
        await ctx.tick().repeat(2 if name == "overflow" else 1)
        ctx.set(dut.error, 1 << Unit.STORE if name == "fetch" else 1 << Unit.FETCH)  # later errors change nothing
        assert (
            ctx.get(dut.halt)
            and not ctx.get(dut.sync_ready) >> Unit.STORE & 1
            and not ctx.get(dut.core_reset)
            and ctx.get(dut.unit_reset)
        )
        assert await status(ctx, dut) == BUSY | ERROR | ABORTING
        await write(ctx, dut, REGISTERS["CONTROL"].offset, START)  # ignored while busy
        ctx.set(dut.idle, ALL_IDLE)  # not the end of the run
        assert not ctx.get(dut.irq) and ctx.get(dut.halt)
        cycles = await read(ctx, dut, REGISTERS["CYCLES_LOW"].offset)
        ctx.set(dut.pending, 0)
        await ctx.tick()
        assert ctx.get(dut.core_reset) and not ctx.get(dut.halt)
        await ctx.tick()
        assert ctx.get(dut.irq)
        assert await status(ctx, dut) == ERROR
        assert await read(ctx, dut, REGISTERS["ERROR_CAUSE"].offset) == cause
        assert await read(ctx, dut, REGISTERS["ERROR_INFO"].offset) == info
        assert await read(ctx, dut, REGISTERS["CYCLES_LOW"].offset) == cycles > 0
        await write(ctx, dut, REGISTERS["IRQ_CLEAR"].offset, 2)
        await ctx.tick()
        assert not ctx.get(dut.irq)
        assert await status(ctx, dut) == ERROR
        ctx.set(dut.error, 0)
        await write(ctx, dut, REGISTERS["CONTROL"].offset, START)
        assert await status(ctx, dut) == BUSY
        assert await status(ctx, dut) == DONE
        assert await read(ctx, dut, REGISTERS["ERROR_CAUSE"].offset) == ErrorCause.NONE
        assert await read(ctx, dut, REGISTERS["ERROR_INFO"].offset) == 0

    simulate(body)


def test_of_errors_in_one_cycle_the_first_unit_is_reported():
    async def body(ctx, dut):
        await start(ctx, dut)
        await bad_opcode(ctx, dut)
        ctx.set(dut.error, 1 << Unit.WEIGHTS | 1 << Unit.LOAD | 1 << Unit.STORE)
        await ctx.tick()
        assert await read(ctx, dut, REGISTERS["ERROR_CAUSE"].offset) == ErrorCause.READ_ERROR
        assert await read(ctx, dut, REGISTERS["ERROR_INFO"].offset) == Unit.LOAD

    simulate(body)


@pytest.mark.parametrize("late", [0, 1])
@pytest.mark.parametrize("name", ["load", "store", "overflow"])
def test_an_error_in_the_runs_last_cycle_is_not_hidden_and_one_after_it_does_not_matter(name, late):
    raise_error, cause, info = ERRORS[name]
    last = 1 if name == "overflow" else 2  # cycles after the last one in which an error would still be seen

    async def body(ctx, dut):
        await start(ctx, dut)
        if name == "overflow":
            await raise_error(ctx, dut)
            ctx.set(dut.done, 0)
        await ctx.tick()  # the first cycle cannot be the last
        ctx.set(dut.idle, ALL_IDLE)
        for _ in range(last * late):
            await ctx.tick()
        if name == "overflow":
            ctx.set(dut.done, 1 << info)
        else:
            await raise_error(ctx, dut)
        await ctx.tick()
        ctx.set(dut.idle, 0)
        ctx.set(dut.done, 0)
        ctx.set(dut.error, 0)
        await ctx.tick().repeat(4)
        assert await status(ctx, dut) == (DONE if late else ERROR)
        found = [await read(ctx, dut, REGISTERS[register].offset) for register in ("ERROR_CAUSE", "ERROR_INFO")]
        assert found == ([ErrorCause.NONE, 0] if late else [cause, info])

    simulate(body)


def test_abort_drains_the_bus_and_resets_the_core_but_not_the_configuration():
    async def body(ctx, dut):
        await write(ctx, dut, REGISTERS["CONTROL"].offset, ABORT)  # ignored: nothing runs
        assert await status(ctx, dut) == 0
        await write(ctx, dut, REGISTERS["IRQ_ENABLE"].offset, 3)
        await write(ctx, dut, REGISTERS["PROGRAM_COUNT"].offset, 77)
        await start(ctx, dut)
        ctx.set(dut.pending, 1)
        assert await status(ctx, dut) == BUSY
        await write(ctx, dut, REGISTERS["CONTROL"].offset, ABORT)
        assert ctx.get(dut.halt)
        assert await status(ctx, dut) == BUSY | ABORTING
        assert ctx.get(dut.unit_reset) and not ctx.get(dut.core_reset)
        ctx.set(dut.pending, 0)
        await ctx.tick()
        assert ctx.get(dut.core_reset) and not ctx.get(dut.halt)
        assert await status(ctx, dut) == 0 and not ctx.get(dut.irq)
        assert await read(ctx, dut, REGISTERS["PROGRAM_COUNT"].offset) == 77 == ctx.get(dut.count)

    simulate(body)


def test_semaphores_connect_the_units_in_the_order_of_the_masks_and_a_start_clears_them():
    async def body(ctx, dut):
        await start(ctx, dut)
        for p, poster in enumerate(SYNC_UNITS):
            for w, waiter in enumerate(SYNC_UNITS):
                ctx.set(dut.first[waiter], 1 << p)
                ctx.set(dut.wait[waiter], 1 << p)
                await ctx.tick()
                assert ctx.get(dut.sync_ready) == ALL_IDLE & ~(1 << waiter)
                ctx.set(dut.done, 1 << poster)
                ctx.set(dut.post[poster], 1 << w)
                await ctx.tick()
                ctx.set(dut.done, 0)
                await ctx.tick()
                assert ctx.get(dut.sync_ready) == ALL_IDLE
                ctx.set(dut.start, 1 << waiter)
                await ctx.tick()
                ctx.set(dut.start, 0)
                await ctx.tick()
                assert ctx.get(dut.sync_ready) == ALL_IDLE & ~(1 << waiter)
                ctx.set(dut.first[waiter], 0)
                ctx.set(dut.wait[waiter], 0)
        # Weights neither waits nor posts.
        ctx.set(dut.first[Unit.WEIGHTS], 15)
        ctx.set(dut.wait[Unit.WEIGHTS], 15)
        ctx.set(dut.post[Unit.WEIGHTS], 15)
        ctx.set(dut.done, 1 << Unit.WEIGHTS)
        await ctx.tick().repeat(2)
        assert ctx.get(dut.sync_ready) == ALL_IDLE
        # What a run leaves behind is gone in the next.
        ctx.set(dut.done, 1 << Unit.LOAD)
        ctx.set(dut.post[Unit.LOAD], 0b0010)
        await ctx.tick()
        ctx.set(dut.done, 0)
        ctx.set(dut.first[Unit.MATRIX], 0b0001)
        await ctx.tick()
        ctx.set(dut.idle, ALL_IDLE)
        assert ctx.get(dut.sync_ready) == ALL_IDLE
        await ctx.tick().repeat(3)
        await start(ctx, dut)
        await ctx.tick()
        assert ctx.get(dut.sync_ready) == ALL_IDLE & ~(1 << Unit.MATRIX)

    simulate(body)
