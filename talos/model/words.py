"""The instruction words of a program, decoded, with the index of one that is not valid."""

from talos.errors import TalosError
from talos.isa import INSTRUCTION_BYTES, Instruction, decode
from talos.program import Program

__all__ = ["decode_program"]


def decode_program(program: Program) -> tuple[Instruction, ...]:
    """`program.instructions`. Raises TalosError naming the first instruction that cannot be decoded."""
    try:
        return program.instructions
    except TalosError:
        for index in range(program.instruction_count):
            start = program.program_offset + index * INSTRUCTION_BYTES
            try:
                decode(program.constants[start : start + INSTRUCTION_BYTES])
            except TalosError as error:
                raise TalosError(f"program '{program.name}': instruction {index}: {error}; compile it again") from error
        raise
