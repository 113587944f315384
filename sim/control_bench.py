"""The control plane over AXI4-Lite: registers, start, abort, error stop, interrupt."""

from itertools import count
from typing import Any

import cocotb
from cocotb.triggers import ReadOnly

from sim.core import ABORT, BUSY, DONE, FAILED, START, Core
from talos.isa import Instruction, Opcode
from talos.registers import IDENTIFICATION, REGISTERS, ErrorCause

PROGRAM = 0x8000  # where programs lie in memory; results lie below
ROW = 64
VECTOR_BIT, STORE_BIT, LOAD_BIT = 4, 8, 1  # of `wait` and `post`


def copies(values: list[int]) -> list[Instruction]:
    """FILL and STORE in turns: the n-th pair writes ROW bytes of values[n] to address n · ROW."""
    program = []
    for n, value in enumerate(values):
        wait = STORE_BIT if n else 0
        program.append(Instruction(Opcode.FILL, row_bytes=ROW, dst=100, value=value, wait=wait, post=STORE_BIT))
        last = n == len(values) - 1
        program.append(
            Instruction(Opcode.STORE, row_bytes=ROW, src=100, address=n * ROW, wait=LOAD_BIT, post=0 if last else LOAD_BIT)
        )
    return program


def check_copies(core: Core, values: list[int]) -> None:
    """Memory is what `copies(values)` makes it."""
    for n, value in enumerate(values):
        seen = bytes(core.memory.contents.read(n * ROW, ROW))
        assert seen == bytes([value & 0xFF]) * ROW, f"row {n}: {seen.hex()}, expected {value}"


async def ready_core(dut: Any, name: str, values: list[int]) -> Core:
    core = Core(dut, name)
    await core.start()
    await core.load(copies(values), PROGRAM)
    return core


@cocotb.test()
async def identification(dut: Any) -> None:
    """The constant and the hash of the configuration that the Verilog was generated for; both cannot be written."""
    core = Core(dut, "identification")
    await core.start()
    for _ in range(2):
        assert await core.read("IDENTIFICATION") == IDENTIFICATION
        assert await core.read("CONFIG_HASH") == int(core.bench.config.hash, 16)
        for name in ("IDENTIFICATION", "CONFIG_HASH"):
            await core.write(name, 0xFFFF_FFFF)


@cocotb.test()
async def registers_keep_what_is_written(dut: Any) -> None:
    """Every read-write register, whole words and single bytes, in random order, with pauses; the others and unmapped words stay."""
    core = Core(dut, "registers")
    core.pause_registers(0.5)
    await core.start()
    rng = core.bench.random
    names = [register.name for register in REGISTERS.values() if register.access == "rw"]
    upper = core.bench.config.axi_addr_width - 32
    masks = {name: (1 << upper) - 1 if name.endswith("_HIGH") else 3 if name == "IRQ_ENABLE" else 0xFFFF_FFFF for name in names}
    values = dict.fromkeys(names, 0)
    for _ in range(150):
        name, first = rng.choice(names), rng.randrange(4)
        data = rng.randbytes(rng.randint(1, 4 - first))
        await core.registers.write(REGISTERS[name].offset + first, data)
        word = bytearray(values[name].to_bytes(4, "little"))
        word[first : first + len(data)] = data
        values[name] = int.from_bytes(word, "little") & masks[name]
        checked = rng.choice(names)
        assert await core.read(checked) == values[checked], checked
    unmapped = next(offset for offset in count(0, 4) if offset not in {r.offset for r in REGISTERS.values()})
    await core.registers.write(unmapped, b"\xff" * 4)
    assert bytes((await core.registers.read(unmapped, 4)).data) == bytes(4)
    for name, register in REGISTERS.items():
        if register.access == "ro" and name not in ("IDENTIFICATION", "CONFIG_HASH"):
            await core.write(name, 0xFFFF_FFFF)
            assert await core.read(name) == 0, name
    assert {name: await core.read(name) for name in names} == values


@cocotb.test()
async def empty_program(dut: Any) -> None:
    """PROGRAM_COUNT 0: done after two cycles, without a transfer."""
    core = Core(dut, "empty")
    core.memory.fail(reads=range(1 << 32))
    await core.start()
    await core.prepare(PROGRAM, 0)
    for _ in range(3):
        assert await core.succeed() == 2
    await core.at_rest()


@cocotb.test()
async def start_while_busy_is_ignored(dut: Any) -> None:
    """Starts during a run change neither the results nor the amount that is written."""
    values = [4 * n - 60 for n in range(30)]
    core = await ready_core(dut, "busy", values)
    await core.write("CONTROL", START)
    starts = 0
    while await core.read("STATUS") == BUSY:
        await core.write("CONTROL", START)
        starts += 1
        await core.cycles(core.bench.random.randrange(40))
        assert starts < 1000, "the run does not end"
    # The last start may have come after the end, and then began a second run.
    assert starts > 10
    await core.cycles(20)
    if await core.read("STATUS") & BUSY:
        await core.interrupt()
    check_copies(core, values)
    assert core.memory.bytes_written in (len(values) * ROW, 2 * len(values) * ROW)


@cocotb.test()
async def heavy_pauses(dut: Any) -> None:
    """Every channel of the memory pauses most of the time: write data wait for their addresses."""
    values = [5 * n - 60 for n in range(20)]
    core = await ready_core(dut, "pauses", values)
    core.memory.pause(0.85)
    await core.succeed()
    check_copies(core, values)


@cocotb.test()
async def abort_and_rerun(dut: Any) -> None:
    """Aborts at random moments, with a slow memory: the bus comes to rest, a new run is complete and right."""
    values = [3 * n - 60 for n in range(24)]
    core = await ready_core(dut, "abort", values)
    core.memory.pause(0.3)
    for attempt in range(12):
        await core.write("IRQ_CLEAR", 3)
        await core.write("CONTROL", START)
        await core.cycles(core.bench.random.randrange(1200))
        before = await core.read("STATUS")
        await core.write("CONTROL", ABORT)
        for _ in range(200):
            status = await core.read("STATUS")
            if not status & BUSY:
                break
        assert not status & (BUSY | FAILED), f"attempt {attempt}: STATUS {status:#x} after an abort"
        assert before & BUSY or status & DONE
        await core.at_rest()
    core.memory.contents.write(0, bytes(len(values) * ROW))
    await core.succeed()
    check_copies(core, values)


@cocotb.test()
async def bad_opcode(dut: Any) -> None:
    """An opcode that does not exist, anywhere in a program: error stop with its index; what came before it may have run."""
    values = [n - 7 for n in range(10)]
    core = await ready_core(dut, "opcode", values)
    known = {int(opcode) for opcode in Opcode}
    for code in sorted(set(range(16)) - known):
        index = core.bench.random.choice([0, len(copies(values)) - 1, core.bench.random.randrange(len(copies(values)))])
        place = PROGRAM + 64 * index
        good = bytes(core.memory.contents.read(place, 64))
        core.memory.contents.write(place, bytes([good[0] & 0xF0 | code]) + good[1:])
        await core.stop(ErrorCause.BAD_OPCODE, index)
        core.memory.contents.write(place, good)
    await core.succeed()
    assert await core.error() == (ErrorCause.NONE, 0)
    check_copies(core, values)


@cocotb.test()
async def semaphore_overflow(dut: Any) -> None:
    """256 posts that nobody takes: error stop that names the poster."""
    core = Core(dut, "overflow")
    await core.start()
    await core.load([Instruction(Opcode.FILL, row_bytes=1, post=VECTOR_BIT)] * 300, PROGRAM)
    await core.stop(ErrorCause.SEMAPHORE_OVERFLOW, 1)
    await core.load([Instruction(Opcode.FILL, row_bytes=1, post=VECTOR_BIT)] * 255, PROGRAM)
    await core.succeed()


@cocotb.test()
async def interrupts_are_masked_and_cleared(dut: Any) -> None:
    """irq follows done and error through their enable bits, and falls when cleared or when the next run starts."""
    core = await ready_core(dut, "irq", [1, 2])

    async def irq() -> int:
        await core.cycles(3)
        await ReadOnly()
        return int(dut.irq.value)

    async def finish() -> int:
        while (status := await core.read("STATUS")) & BUSY:
            pass
        return status

    bad = Instruction(Opcode.FILL).encode()
    core.memory.contents.write(PROGRAM + 0x1000, bytes([bad[0] & 0xF0]) + bad[1:])
    for failing in (False, True):
        bit = 2 if failing else 1
        await core.prepare(PROGRAM + 0x1000 if failing else PROGRAM, 1 if failing else 4)
        for enable in range(4):
            await core.write("IRQ_ENABLE", enable)
            await core.write("CONTROL", START)
            status = await finish()
            assert status == (FAILED if failing else DONE)
            wanted = int(bool(enable & bit))
            assert await irq() == wanted
            await core.write("IRQ_CLEAR", 3 - bit)
            assert await irq() == wanted, "clearing one interrupt clears the other"
            await core.write("IRQ_CLEAR", bit)
            assert await irq() == 0
            assert await core.read("STATUS") == (FAILED if failing else 0), "clearing the error interrupt keeps the error"
