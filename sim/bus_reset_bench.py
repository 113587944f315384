"""Abort (the soft reset) and reset at any moment: what the bus sees, and that the next run is right."""

from typing import Any

import cocotb
from cocotb.triggers import RisingEdge

from sim.core import ABORT, BUSY, FAILED, START
from sim.network import Machine, small
from talos.isa import Instruction, Opcode
from talos.registers import REGISTERS

SETTLED = 3000  # cycles from an abort until the core is not busy; the memory pauses in a third of the cycles
PROGRAM = 0x20_0000  # of programs that are not the network's


@cocotb.test()
async def abort_anywhere(dut: Any) -> None:
    """Aborts at random moments: every burst under way is finished, no interrupt comes, and a new run is right.

    A start and a second abort before the first one is done are ignored.
    """
    machine = Machine(dut, "abort", small)
    machine.memory.pause(0.3)
    machine.memory.shuffle()
    await machine.start()
    machine.put(0)
    random = machine.bench.random
    interrupted = 0
    for _ in range(12):
        await machine.write("IRQ_CLEAR", 3)
        await machine.write("CONTROL", START)
        await machine.cycles(random.randrange(1500))
        await machine.write("CONTROL", ABORT)
        if random.random() < 0.5:
            # This start may come when the abort is done, and then begins a run.
            await machine.write("CONTROL", START)
        await machine.abort(SETTLED)
        status = await machine.read("STATUS")
        assert not status & (BUSY | FAILED), f"STATUS {status:#x} after an abort"
        assert int(dut.irq.value) == status >> 1 & 1, "an abort interrupts"
        interrupted += not status
    assert interrupted > 3
    await machine.classify(1)


@cocotb.test()
async def abort_while_units_hold_the_memory(dut: Any) -> None:
    """A store whose bursts are under way is finished although the vector unit would read the same bank for billions of cycles."""
    machine = Machine(dut, "hold", small)
    await machine.start()
    hold = {name: 256 for name in ("win_h", "win_w")} | {"out_h": 1024, "out_w": 1024, "blocks": 1024}
    program = [
        Instruction(Opcode.FILL, row_bytes=4096, value=3, post=8),
        Instruction(Opcode.STORE, row_bytes=1 << 16, address=PROGRAM + 0x1_0000, wait=1),
        Instruction(Opcode.VECTOR, source=1, tail=1, **hold),
    ]
    await machine.load(program, PROGRAM)
    await machine.write("CONTROL", START)
    for _ in range(1000):
        if machine.rules.moving and machine.memory.bytes_written:
            break
        await machine.cycles(1)
    await machine.cycles(100)
    assert await machine.read("STATUS") == BUSY
    await machine.abort(SETTLED)
    machine.fill()
    await machine.configure()
    await machine.classify(2)


@cocotb.test()
async def reset_anywhere(dut: Any) -> None:
    """`rst` at random moments, of core and memory together: all VALIDs low, registers as after power-up, and a new run is right."""
    machine = Machine(dut, "reset", small)
    machine.memory.pause(0.3)
    await machine.start()
    random = machine.bench.random
    moving = 0
    for _ in range(8):
        machine.put(0)
        await machine.write("CONTROL", START)
        await machine.cycles(random.randrange(1200))
        moving += machine.rules.moving > 0
        await _reset(machine, random.randint(2, 5))
        for name, register in REGISTERS.items():
            if register.access == "rw" or name in ("STATUS", "ERROR_CAUSE", "ERROR_INFO"):
                assert await machine.read(name) == 0, f"{name} after a reset"
        await machine.configure()
        if random.random() < 0.4:
            await machine.classify(random.randrange(3))
    assert moving > 2, "no burst was under way at a reset"
    await machine.classify(1)


async def _reset(machine: Machine, cycles: int) -> None:
    machine.bench.reset = True
    await machine.cycles(cycles)
    machine.bench.reset = False
    await machine.cycles(2)
    await RisingEdge(machine.dut.clk)
    assert not int(machine.dut.irq.value)
