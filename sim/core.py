"""The whole core in its surroundings: register access, memory, interrupt, and the start of programs."""

import logging
from collections.abc import Sequence
from typing import Any

import cocotb
from cocotb.triggers import RisingEdge, with_timeout
from cocotbext.axi import AxiLiteBus, AxiLiteMaster

from sim.axi_memory import FaultyMemory, coin
from sim.axi_monitor import AxiMonitor
from sim.bench import PERIOD_NS, Testbench
from talos.isa import Instruction
from talos.registers import REGIONS, REGISTERS, ErrorCause

__all__ = ["ABORT", "BUSY", "DONE", "FAILED", "START", "Core"]

START, ABORT = 1, 2
"""Bits of CONTROL."""
BUSY, DONE, FAILED = 1, 2, 4
"""Bits of STATUS."""

LIMIT = 100_000  # cycles; far more than any run here takes


class Core:
    """The design `talos` with cocotbext-axi on both of its buses."""

    def __init__(self, dut: Any, name: str) -> None:
        self.bench = Testbench(dut, name)
        self.dut = dut
        logging.getLogger("cocotb.talos.s_axil").setLevel(logging.ERROR)
        self.registers = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "s_axil"), dut.clk, dut.rst)
        self.memory = FaultyMemory(self.bench)
        self.rules = self.bench.add(AxiMonitor(self.bench))

    def pause_registers(self, probability: float) -> None:
        """From now on each channel of AXI4-Lite pauses in a cycle with this probability."""
        write, read = self.registers.write_if, self.registers.read_if
        for channel in (write.aw_channel, write.w_channel, write.b_channel, read.ar_channel, read.r_channel):
            channel.set_pause_generator(coin(self.bench.random.getrandbits(32), probability))

    async def start(self) -> None:
        """Clock, reset, monitors."""
        await self.bench.start()
        cocotb.start_soon(self._monitor())

    async def _monitor(self) -> None:
        while True:
            await self.bench.step()

    async def cycles(self, count: int) -> None:
        """Wait."""
        for _ in range(count):
            await RisingEdge(self.dut.clk)

    async def read(self, name: str) -> int:
        """A register's value."""
        answer = await self.registers.read(REGISTERS[name].offset, 4)
        return int.from_bytes(answer.data, "little")

    async def write(self, name: str, value: int) -> None:
        """Write a register."""
        await self.registers.write(REGISTERS[name].offset, value.to_bytes(4, "little"))

    async def prepare(self, address: int, count: int, bases: Sequence[int] = (0,) * REGIONS) -> None:
        """Program address and length, base addresses, both interrupts enabled and cleared."""
        values = {"PROGRAM_LOW": address, "PROGRAM_HIGH": 0, "PROGRAM_COUNT": count, "IRQ_ENABLE": 3, "IRQ_CLEAR": 3}
        for i, base in enumerate(bases):
            values |= {f"REGION{i}_LOW": base, f"REGION{i}_HIGH": 0}
        for name, value in values.items():
            await self.write(name, value)

    async def load(self, instructions: Sequence[Instruction], address: int) -> None:
        """Put a program into memory and `prepare` it with all regions at 0."""
        self.memory.contents.write(address, b"".join(i.encode() for i in instructions))
        await self.prepare(address, len(instructions))

    async def interrupt(self) -> int:
        """Wait for the interrupt; STATUS then."""
        if not int(self.dut.irq.value):
            await with_timeout(RisingEdge(self.dut.irq), LIMIT * PERIOD_NS, "ns")
        return await self.read("STATUS")

    async def run(self) -> int:
        """Start and wait for the end; STATUS then. The interrupts are cleared before."""
        await self.write("IRQ_CLEAR", 3)
        await self.cycles(2)
        assert not int(self.dut.irq.value), "the interrupt stays although it is cleared"
        await self.write("CONTROL", START)
        return await self.interrupt()

    async def succeed(self) -> int:
        """Run to the end without an error; the number of cycles."""
        status = await self.run()
        assert status == DONE, f"STATUS {status:#x}, {await self.error()}"
        return await self.read("CYCLES_LOW")

    async def error(self) -> tuple[ErrorCause, int]:
        """ERROR_CAUSE and ERROR_INFO."""
        return ErrorCause(await self.read("ERROR_CAUSE")), await self.read("ERROR_INFO")

    async def stop(self, cause: ErrorCause, info: int) -> None:
        """Run into an error stop: the registers tell it, the bus comes to rest and the core is not busy."""
        status = await self.run()
        assert status & (FAILED | BUSY) == FAILED and not status & DONE, f"STATUS {status:#x} after an error stop"
        seen = await self.error()
        assert seen == (cause, info), f"error {seen}, expected {(cause, info)}"
        await self.at_rest()

    async def at_rest(self) -> None:
        """Nothing is under way on the bus, and nothing begins."""
        for _ in range(50):
            assert self.rules.quiet, "a transfer is under way although the core is not busy"
            await self.cycles(1)
