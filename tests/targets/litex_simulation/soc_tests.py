"""cocotb tests of the example SoC: registers through the SoC's bus, and a golden run in the SoC's RAM."""

import logging
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import RisingEdge, with_timeout
from cocotbext.axi import AxiLiteBus, AxiLiteMaster
from vectors import Vectors

REGISTERS, RAM = 0x1000_0000, 0x4000_0000
PERIOD_NS = 20
LIMIT_CYCLES = 500_000
DONE = 2

VECTORS = Vectors()


async def start(dut: Any) -> AxiLiteMaster:
    """Clock and reset; the host."""
    cocotb.start_soon(Clock(dut.clk, PERIOD_NS, unit="ns").start())
    logging.getLogger(f"cocotb.{dut._name}.host").setLevel(logging.ERROR)
    host = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "host"), dut.clk, dut.rst)
    dut.rst.value = 1
    for _ in range(4):
        await RisingEdge(dut.clk)
    dut.rst.value = 0
    return host


@cocotb.test()
async def registers(dut: Any) -> None:
    """Identification, and a register written and read back."""
    host = await start(dut)
    for name, value in VECTORS.expected_registers.items():
        assert await host.read_dword(REGISTERS + VECTORS.registers[name]) == value
    await host.write_dword(REGISTERS + VECTORS.registers["REGION1_LOW"], 0x40123456)
    assert await host.read_dword(REGISTERS + VECTORS.registers["REGION1_LOW"]) == 0x40123456


@cocotb.test()
async def golden_run(dut: Any) -> None:
    """The RAM holds program and input: the outputs are the golden ones, and the interrupt comes and goes."""
    host = await start(dut)
    for name, value in VECTORS.setup:
        is_address = name.endswith("_LOW")
        await host.write_dword(REGISTERS + VECTORS.registers[name], value + RAM * is_address)
    await host.write_dword(REGISTERS + VECTORS.registers["CONTROL"], 1)
    await with_timeout(RisingEdge(dut.irq), LIMIT_CYCLES * PERIOD_NS, "ns")
    status = [await host.read_dword(REGISTERS + VECTORS.registers[name]) for name in ("STATUS", "ERROR_CAUSE", "ERROR_INFO")]
    assert status == [DONE, 0, 0]
    cycles = await host.read_dword(REGISTERS + VECTORS.registers["CYCLES_LOW"])
    for address, expected in VECTORS.runs[0].outputs:
        found = (await host.read(RAM + address, len(expected))).data
        assert bytes(found) == expected
    await host.write_dword(REGISTERS + VECTORS.registers["IRQ_CLEAR"], 3)
    for _ in range(4):
        await RisingEdge(dut.clk)
    assert not int(dut.irq.value)
    dut._log.info(f"{cycles} cycles, outputs as expected")
