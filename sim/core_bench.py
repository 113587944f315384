"""The whole core runs a compiled network in a memory that pauses."""

from typing import Any

import cocotb

from sim.network import Machine


@cocotb.test()
async def digits_at_full_speed(dut: Any) -> None:
    """A memory without pauses; a second run of the same image takes the same number of cycles."""
    machine = Machine(dut, "full")
    await machine.start()
    cycles = [await machine.classify(image) for image in (0, 1, 0)]
    assert cycles[0] == cycles[2], f"cycles {cycles}"
    await machine.at_rest()


@cocotb.test()
@cocotb.parametrize(pause=[0.2, 0.5, 0.8])
async def digits_under_back_pressure(dut: Any, pause: float) -> None:
    """All five channels pause at random."""
    machine = Machine(dut, f"pause {pause}")
    machine.memory.pause(pause)
    await machine.start()
    await machine.classify(2)
    await machine.at_rest()
