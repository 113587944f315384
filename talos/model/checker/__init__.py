"""Proves from the instruction words that a program is free of races and deadlock and touches only what it may.

What is proved, in this order: every instruction's fields and addresses (`fields`); the weight stream (`stream`); that all units reach
the end (`schedule`); the semaphores' counters (`semaphores`); that all conflicting accesses are ordered (`races`); that nothing is read
before it is written, no sum is lost, and all outputs are stored (`contents`).
"""

from collections.abc import Callable, Sequence

import numpy as np

from talos.config import AcceleratorConfig
from talos.effects import effects
from talos.errors import TalosError
from talos.isa import INSTRUCTION_BYTES, Instruction
from talos.model.checker.contents import Contents
from talos.model.checker.fields import check_fields
from talos.model.checker.races import check_races
from talos.model.checker.schedule import run_schedule
from talos.model.checker.semaphores import check_semaphores
from talos.model.checker.stream import check_stream
from talos.model.words import decode_program
from talos.program import CONSTANTS, Port, Program

__all__ = ["check_order", "check_program"]

Progress = Callable[[str, int, int], None]


def check_order(instructions: Sequence[Instruction], config: AcceleratorConfig, region_bytes: tuple[int, ...]) -> None:
    """Everything but contents: for instructions without a program. Raises TalosError naming the instructions."""
    instructions = tuple(instructions)
    accesses = [effects(instruction, config) for instruction in instructions]
    for index, (instruction, touches) in enumerate(zip(instructions, accesses, strict=True)):
        check_fields(index, instruction, touches, config, region_bytes)
    check_stream(instructions, config)
    schedule = run_schedule(instructions, config)
    check_semaphores(instructions, schedule, config)
    check_races(instructions, accesses, schedule)


def check_program(program: Program, progress: Progress = lambda stage, done, total: None) -> None:
    """Raise TalosError, naming the program, the instructions by index and the reason, unless `program` is sound."""
    try:
        _check(program, progress)
    except TalosError as error:
        raise TalosError(f"program '{program.name}': {error}; it was compiled wrongly or damaged: compile it again") from error


def _check(program: Program, progress: Progress) -> None:
    end = program.program_offset + program.instruction_count * INSTRUCTION_BYTES
    if end > len(program.constants) or len(program.constants) > program.region_bytes[CONSTANTS]:
        raise TalosError(
            f"{program.instruction_count} instructions at {program.program_offset} and {len(program.constants)} bytes of constants do "
            f"not fit region {CONSTANTS} of {program.region_bytes[CONSTANTS]} bytes"
        )
    for port in (*program.inputs, *program.outputs):
        if any(not 0 <= offset <= program.region_bytes[port.region] - _size(port) for offset in port.offsets):
            raise TalosError(f"'{port.spec.name}' lies outside region {port.region} of {program.region_bytes[port.region]} bytes")
    instructions = decode_program(program)
    progress("checking the order of instructions", 0, 0)
    check_order(instructions, program.config, program.region_bytes)
    contents = Contents(program.config, program.region_bytes, program.constants)
    for port in program.inputs:
        for offset in port.offsets:
            contents.dram[port.region][offset : offset + _size(port)] = True
    for index, instruction in enumerate(instructions):
        if index % 64 == 0:
            progress("checking contents", index, len(instructions))
        contents.run(index, instruction)
    contents.finish()
    for port in program.outputs:
        for offset in port.offsets:
            written = contents.dram[port.region][offset : offset + _size(port)]
            if not written.all():
                raise TalosError(f"byte {int(np.argmin(written))} of output '{port.spec.name}' is never stored")


def _size(port: Port) -> int:
    return int(np.prod(port.spec.tensor_shape))
