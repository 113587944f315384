"""Error responses of the memory: the core stops with the right cause, the bus comes to rest, and the next run is right."""

from typing import Any

import cocotb
from cocotbext.axi import AxiResp

from sim.network import Machine, small
from talos.isa import Unit
from talos.registers import ErrorCause

PAUSES = (0.0, 0.3, 0.6)


def cause(unit: Unit) -> ErrorCause:
    """What ERROR_CAUSE tells of a failed transfer of `unit`."""
    return ErrorCause.WRITE_ERROR if unit == Unit.STORE else ErrorCause.READ_ERROR


@cocotb.test()
@cocotb.parametrize(unit=[Unit.FETCH, Unit.LOAD, Unit.WEIGHTS, Unit.STORE])
async def any_answer_may_fail(dut: Any, unit: Unit) -> None:
    """SLVERR or DECERR to the first, the last and random beats (of the store unit: bursts), with pauses on all five channels.

    Beats of the units that read come in any order. The run after each error begins without an abort.
    """
    machine = Machine(dut, f"errors {unit.name}", small)
    machine.memory.shuffle()
    await machine.start()
    await machine.classify(0)
    count = machine.memory.answers[unit]
    assert count > 1
    random = machine.bench.random
    for number in (0, count - 1, random.randrange(count), random.randrange(count)):
        machine.memory.pause(random.choice(PAUSES))
        machine.put(1)
        machine.memory.fail_nth(unit, number, random.choice([AxiResp.SLVERR, AxiResp.DECERR]))
        await machine.stop(cause(unit), unit)
        assert machine.memory.answers[unit] > number
        machine.memory.fail()
        await machine.classify(random.randrange(3))


@cocotb.test()
async def everything_fails(dut: Any) -> None:
    """A memory that answers nothing but DECERR, reads and then writes, with bursts of several units under way."""
    machine = Machine(dut, "everything", small)
    machine.memory.pause(0.3)
    await machine.start()
    everywhere = range(1 << machine.bench.config.axi_addr_width)
    machine.put(0)
    machine.memory.fail(reads=everywhere, response=AxiResp.DECERR)
    await machine.stop(ErrorCause.READ_ERROR, Unit.FETCH)
    machine.memory.fail(writes=everywhere, response=AxiResp.DECERR)
    await machine.stop(ErrorCause.WRITE_ERROR, Unit.STORE)
    machine.memory.fail()
    await machine.classify(1)


@cocotb.test()
async def address_after_data(dut: Any) -> None:
    """A memory that accepts a write's address only when its data are on offer, as AXI allows: a master must not wait for it."""
    machine = Machine(dut, "data first", small)
    machine.memory.want_data_first()
    await machine.start()
    for image in (0, 1):
        await machine.classify(image)
