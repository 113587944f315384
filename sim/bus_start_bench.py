"""Register accesses during a run, and programs that are wrong: the bus and the registers always answer, and the next run is right."""

from typing import Any

import cocotb

from sim.core import ABORT, BUSY, DONE, FAILED, START
from sim.network import Machine, small
from talos.isa import INSTRUCTION_BYTES, INSTRUCTIONS, Field, Instruction, Opcode
from talos.registers import REGISTERS, ErrorCause

PROGRAM = 0x20_0000  # of programs that are not the network's
SETTLED = 3000  # cycles from an abort until the core is not busy


async def _undisturbed(machine: Machine) -> int:
    await machine.start()
    return await machine.classify(0)


@cocotb.test()
async def start_while_busy(dut: Any) -> None:
    """Starts in a run change neither results nor cycles."""
    machine = Machine(dut, "start", small)
    cycles = await _undisturbed(machine)
    await machine.write("IRQ_CLEAR", 3)
    machine.put(0)
    await machine.write("CONTROL", START)
    begin = machine.bench.cycle
    starts = 0
    while machine.bench.cycle < begin + cycles - 40:
        await machine.write("CONTROL", START)
        starts += 1
        assert await machine.read("STATUS") == BUSY
    assert starts > 10
    assert await machine.interrupt() == DONE
    assert await machine.read("CYCLES_LOW") == cycles
    assert await machine.classify(1) == cycles


@cocotb.test()
async def accesses_while_busy(dut: Any) -> None:
    """Reads of every register and writes to all but the region bases, in a run: results and cycles stay, and the writes are kept."""
    machine = Machine(dut, "accesses", small)
    cycles = await _undisturbed(machine)
    random = machine.bench.random
    names = [r.name for r in REGISTERS.values() if not r.name.startswith("REGION") and r.name not in ("CONTROL", "PROGRAM_HIGH")]
    written = {}
    machine.put(1)
    await machine.write("CONTROL", START)
    begin = machine.bench.cycle
    while machine.bench.cycle < begin + cycles - 60:
        name = random.choice(names)
        await machine.read(name)
        name = random.choice(names)
        value = random.getrandbits(32)
        await machine.write(name, value)
        if REGISTERS[name].access == "rw":
            written[name] = value & 3 if name == "IRQ_ENABLE" else value
    assert {"PROGRAM_LOW", "PROGRAM_COUNT"} <= set(written)
    while await machine.read("STATUS") & BUSY:
        pass
    assert await machine.read("CYCLES_LOW") == cycles
    machine.check(1)
    assert {name: await machine.read(name) for name in written} == written
    await machine.configure()
    await machine.classify(2)


@cocotb.test()
async def region_bases_while_busy(dut: Any) -> None:
    """A base that changes in a run goes to the instructions that start later: their data move elsewhere, the run ends as usual."""
    machine = Machine(dut, "bases", small)
    machine.memory.pause(0.3)
    await machine.start()
    random = machine.bench.random
    for _ in range(4):
        await machine.write("CONTROL", START)
        while await machine.read("STATUS") & BUSY:
            await machine.write(f"REGION{random.randrange(4)}_LOW", random.getrandbits(32))
        await machine.at_rest()
        assert await machine.read("STATUS") == DONE
        machine.fill()
        await machine.configure()
    await machine.classify(1)


@cocotb.test()
async def bad_opcode_anywhere(dut: Any) -> None:
    """An opcode that does not exist, at random places of the network: its number is told, what is under way is finished."""
    machine = Machine(dut, "opcode", small)
    machine.memory.pause(0.3)
    await machine.start()
    random = machine.bench.random
    count = machine.network.program.instruction_count
    unknown = sorted(set(range(16)) - set(map(int, Opcode)))
    for index in (0, count - 1, *(random.randrange(count) for _ in range(3))):
        machine.put(0)
        place = machine.program + index * INSTRUCTION_BYTES
        machine.memory.contents.write(place, bytes([machine.memory.contents[place] & 0xF0 | random.choice(unknown)]))
        await machine.stop(ErrorCause.BAD_OPCODE, index)
        machine.fill()
    await machine.classify(1)


@cocotb.test()
async def program_address_and_length(dut: Any) -> None:
    """An unaligned address is rounded down; no length, a length past the end, an address where nothing is."""
    machine = Machine(dut, "address", small)
    cycles = await _undisturbed(machine)
    count = machine.network.program.instruction_count
    for low in (1, 32, 63):
        await machine.write("PROGRAM_LOW", machine.program + low)
        assert await machine.classify(low % 3) == cycles
    await machine.write("PROGRAM_COUNT", 0)
    assert await machine.succeed() == 2
    # The instruction after the network's last has opcode 0.
    machine.memory.contents.write(machine.program + count * INSTRUCTION_BYTES, bytes(INSTRUCTION_BYTES))
    await machine.write("PROGRAM_COUNT", 0xFFFF_FFFF)
    machine.put(0)
    await machine.stop(ErrorCause.BAD_OPCODE, count)
    # The last word of the address space; the next one is at address 0.
    await machine.write("PROGRAM_LOW", 0xFFFF_FFFF)
    await machine.stop(ErrorCause.BAD_OPCODE, 0)
    machine.fill()
    await machine.configure()
    await machine.classify(1)


@cocotb.test()
async def programs_that_wait_forever(dut: Any) -> None:
    """What a program waits for never comes: the core stays busy, the bus is quiet, the registers answer, an abort ends it.

    A start and an abort in one write start a core that is not busy, and abort one that is.
    """
    machine = Machine(dut, "forever", small)
    await machine.start()
    programs = (
        [Instruction(Opcode.LOAD, row_bytes=8, wait=8)],
        [Instruction(Opcode.STREAM, bytes=1 << 20)],
        [Instruction(Opcode.MATMUL, out_w=4, out_h=4)],
    )
    for program in programs:
        await machine.load(program, PROGRAM)
        await machine.write("CONTROL", START | ABORT)
        await machine.cycles(2000)
        assert await machine.read("STATUS") == BUSY
        await machine.at_rest()
        await machine.write("CONTROL", START | ABORT)
        assert await machine.read("STATUS") == 0
        await machine.abort(0)
    await machine.configure()
    await machine.classify(1)


@cocotb.test()
async def random_programs(dut: Any) -> None:
    """Instructions with random fields: the run ends or is aborted, with every burst finished, and then the network runs."""
    machine = Machine(dut, "random", small)
    machine.memory.pause(0.2)
    machine.memory.shuffle()
    await machine.start()
    random = machine.bench.random

    def value(field: Field) -> int:
        high = field.high if random.random() < 0.3 else min(field.high, 40)
        return random.randint(field.low if random.random() < 0.3 else max(field.low, -40), high)

    aborted = 0
    for _ in range(10):
        opcodes = [random.choice(list(INSTRUCTIONS)) for _ in range(24)]
        formats = [INSTRUCTIONS[opcode] for opcode in opcodes]
        program = [Instruction(fmt.opcode, **{f.name: value(f) for f in fmt.body}, post=random.getrandbits(4)) for fmt in formats]
        await machine.load(program, PROGRAM)
        await machine.write("CONTROL", START)
        await machine.cycles(random.randrange(200, 900))
        status = await machine.read("STATUS")
        assert status in (BUSY, DONE, FAILED), f"STATUS {status:#x}"
        aborted += status == BUSY
        await machine.abort(SETTLED)
    assert aborted > 2
    machine.memory.contents.clear()
    machine.fill()
    await machine.configure()
    await machine.classify(2)
