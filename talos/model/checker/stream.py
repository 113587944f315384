"""The weight stream: what STREAM pushes is what MATMUL takes, in program order."""

from talos.config import AcceleratorConfig
from talos.errors import TalosError
from talos.isa import Instruction, Opcode
from talos.model.checker.fields import name
from talos.model.checker.schedule import matmul_bytes

__all__ = ["check_stream"]


def check_stream(instructions: tuple[Instruction, ...], config: AcceleratorConfig) -> None:
    """Raise TalosError, naming the instruction at which streamed and taken bytes part."""
    level = 0
    last_stream = -1
    for index, instruction in enumerate(instructions):
        if instruction.opcode == Opcode.STREAM:
            level += instruction["bytes"]
            last_stream = index
        elif instruction.opcode == Opcode.MATMUL:
            level -= matmul_bytes(instruction, config)
            if level < 0:
                raise TalosError(
                    f"{name(index, instruction)} needs {-level} bytes of weights more than the STREAM instructions before it push; the "
                    f"last of them is instruction {last_stream}"
                    if last_stream >= 0
                    else f"{name(index, instruction)} needs {-level} bytes of weights and no STREAM comes before it"
                )
    if level:
        raise TalosError(f"{name(last_stream, instructions[last_stream])} leaves {level} bytes of weights that no MATMUL takes")
