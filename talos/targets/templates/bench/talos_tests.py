"""cocotb tests of the core: identification, golden vectors with their cycle count, and golden vectors on a memory that pauses."""

import itertools
import logging
import random
import warnings
from collections.abc import Iterator
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import RisingEdge, with_timeout
from cocotbext.axi import AxiBus, AxiLiteBus, AxiLiteMaster, AxiRam
from memory import TimedMemory
from vectors import Run, Vectors

PERIOD_NS = 10
SLOW = 20  # a pausing memory may take so many times the expected cycles
START, DONE = 1, 2  # bits of CONTROL and STATUS

VECTORS = Vectors()
warnings.filterwarnings("ignore", category=DeprecationWarning, module="cocotbext")  # it supports cocotb 1 as well


class Core:
    """The device under test, its registers, clock and reset."""

    def __init__(self, dut: Any) -> None:
        self.dut = dut
        for name in ("s_axil", "m_axi"):
            logging.getLogger(f"cocotb.{dut._name}.{name}").setLevel(logging.ERROR)  # they tell every transfer
        self._registers = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "s_axil"), dut.clk, dut.rst)

    async def reset(self) -> None:
        cocotb.start_soon(Clock(self.dut.clk, PERIOD_NS, unit="ns").start())
        self.dut.rst.value = 1
        for _ in range(4):
            await RisingEdge(self.dut.clk)
        self.dut.rst.value = 0
        await RisingEdge(self.dut.clk)

    async def read(self, name: str) -> int:
        answer = await self._registers.read(VECTORS.registers[name], 4)
        return int.from_bytes(answer.data, "little")

    async def write(self, name: str, value: int) -> None:
        await self._registers.write(VECTORS.registers[name], value.to_bytes(4, "little"))

    async def run(self, limit: int) -> int:
        """Set up, start, wait for the interrupt; the number of cycles."""
        for name, value in VECTORS.setup:
            await self.write(name, value)
        await self.write("CONTROL", START)
        await with_timeout(RisingEdge(self.dut.irq), limit * PERIOD_NS, "ns")
        status = await self.read("STATUS")
        if status != DONE:
            raise AssertionError(
                f"STATUS {status:#x}, cause {await self.read('ERROR_CAUSE')}, info {await self.read('ERROR_INFO')}"
            )
        return await self.read("CYCLES_LOW")


def compare(run: Run, read: Any, index: int) -> None:
    """The outputs of run `index`, byte for byte. read: (address, length) → bytes."""
    for address, expected in run.outputs:
        found = bytes(read(address, len(expected)))
        wrong = [i for i, (a, b) in enumerate(zip(found, expected, strict=True)) if a != b]
        assert not wrong, (
            f"run {index}: {len(wrong)} of {len(expected)} bytes at {address:#x} differ, the first is byte {wrong[0]}"
        )


def pauses(seed: int) -> Iterator[bool]:
    """True in one cycle of four."""
    generator = random.Random(seed)
    return (generator.random() < 0.25 for _ in itertools.count())


@cocotb.test()
async def identification(dut: Any) -> None:
    """The Verilog is that of the configuration which the vectors were made for."""
    core = Core(dut)
    await core.reset()
    for name, value in VECTORS.expected_registers.items():
        found = await core.read(name)
        assert found == value, f"{name} is {found:#010x}, expected {value:#010x}"


@cocotb.test()
async def bytes_and_cycles(dut: Any) -> None:
    """All vectors in a memory of documented timing: bytes and cycles are equal."""
    core = Core(dut)
    contents = VECTORS.memory()
    memory = TimedMemory(
        dut, contents, beat_bytes=VECTORS.beat_bytes, latency=VECTORS.latency, outstanding=VECTORS.outstanding
    )  # fmt: skip
    cocotb.start_soon(memory.run())
    await core.reset()
    for index, run in enumerate(VECTORS.runs):
        for address, data in run.inputs:
            contents[address : address + len(data)] = data
        cycles = await core.run(2 * VECTORS.cycles + 10_000)
        compare(run, lambda address, length: contents[address : address + length], index)
        assert cycles == VECTORS.cycles, f"run {index}: {cycles} cycles, expected {VECTORS.cycles}"
        dut._log.info(f"run {index}: {cycles} cycles, bytes and cycles as expected")


@cocotb.test()
async def bytes_with_pauses(dut: Any) -> None:
    """The first vector in cocotbext-axi's memory, every channel of which pauses at random: bytes are equal."""
    core = Core(dut)
    contents = VECTORS.memory()
    ram = AxiRam(AxiBus.from_prefix(dut, "m_axi"), dut.clk, dut.rst, size=len(contents))
    read, write = ram.read_if, ram.write_if
    for index, channel in enumerate((read.ar_channel, read.r_channel, write.aw_channel, write.w_channel, write.b_channel)):
        channel.set_pause_generator(pauses(index))
    await core.reset()
    ram.write(0, contents)
    for address, data in VECTORS.runs[0].inputs:
        ram.write(address, data)
    cycles = await core.run(SLOW * VECTORS.cycles + 10_000)
    compare(VECTORS.runs[0], ram.read, 0)
    dut._log.info(f"{cycles} cycles with pauses, bytes as expected")
