"""FunctionalModel: what a program computes, byte for byte, without time. Instructions run one after another in program order."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]

from talos.config import AcceleratorConfig
from talos.errors import TalosError
from talos.isa import Instruction, Opcode
from talos.model.functional.matrix import matmul
from talos.model.functional.state import State
from talos.model.functional.transfer import fill, load, store, stream
from talos.model.functional.vector import PairTables, table, vector
from talos.model.words import decode_program
from talos.program import CONSTANTS, Port, Program

__all__ = ["FunctionalModel"]

Int8Array = npt.NDArray[np.int8]

_THREADS = ThreadpoolController()  # of the BLAS behind NumPy


class FunctionalModel:
    """One accelerator of `config` and its DRAM; the memories are in `state`.

    As in hardware the on-chip memories keep their contents from one run to the next. `garbage`, a seed, fills them with random bytes
    first: a program's results must not depend on them.
    """

    def __init__(self, config: AcceleratorConfig, garbage: int | None = None) -> None:
        self.config = config
        self.state = State(config)
        self._program: Program | None = None
        self._instructions: tuple[Instruction, ...] = ()
        additions = PairTables()
        self._operations: dict[Opcode, Callable[[State, Instruction], None]] = {
            Opcode.LOAD: load,
            Opcode.FILL: fill,
            Opcode.STREAM: stream,
            Opcode.MATMUL: matmul,
            Opcode.VECTOR: lambda state, i: vector(state, i, additions),
            Opcode.TABLE: table,
            Opcode.STORE: store,
        }
        if garbage is not None:
            rng = np.random.default_rng(garbage)
            for memory in (self.state.activation, self.state.parameter, self.state.accumulator):
                memory[...] = np.frombuffer(rng.bytes(memory.nbytes), memory.dtype).reshape(memory.shape)

    def load(self, program: Program) -> None:
        """Place `program` and its regions in DRAM. Raises TalosError when it is for another configuration or not consistent."""
        program.require_config(self.config, "the functional model")
        self._instructions = decode_program(program)
        if len(program.constants) > program.region_bytes[CONSTANTS]:
            raise TalosError(
                f"program '{program.name}': {len(program.constants)} bytes of constants do not fit region {CONSTANTS} of "
                f"{program.region_bytes[CONSTANTS]} bytes; compile it again"
            )
        self.state.dram = [np.zeros(size, np.uint8) for size in program.region_bytes]
        self.state.dram[CONSTANTS][: len(program.constants)] = np.frombuffer(program.constants, np.uint8)
        self._program = program

    def step(self, instruction: Instruction) -> None:
        """Run one instruction. Raises TalosError when it cannot be run."""
        self._operations[instruction.opcode](self.state, instruction)

    def execute(self, instructions: Iterable[Instruction]) -> None:
        """Run `instructions` in order. Raises TalosError naming the index of the one that cannot be run."""
        # The products are small. A second BLAS thread hardly helps, and on a busy machine spinning threads made this 30 times slower.
        with _THREADS.limit(limits=1, user_api="blas"):
            for index, instruction in enumerate(instructions):
                try:
                    self.step(instruction)
                except TalosError as error:
                    raise TalosError(f"instruction {index} ({instruction.opcode.name}): {error}") from error

    def run_codes(self, program: Program, tensors: Mapping[str, Int8Array]) -> dict[str, Int8Array]:
        """Run one image, or a batch: int8 tensors (`Port.shape`) by port name in and out.

        Raises TalosError on missing, unknown or misshapen inputs, and as `load` and `execute` do.
        """
        if self._program is not program:
            self.load(program)
        _require_inputs(program, tensors)
        for port in program.inputs:
            codes = tensors[port.spec.name]
            if codes.shape != port.shape or codes.dtype != np.int8:
                raise TalosError(
                    f"input '{port.spec.name}': {codes.dtype} of shape {codes.shape}, but the program needs int8 of shape "
                    f"{port.shape}"
                )
            for view, image in zip(self._port(port), codes.reshape(port.batch, *port.spec.tensor_shape), strict=True):
                view[...] = image
        self.state.weights.clear()
        self.execute(self._instructions)
        if self.state.weights.level:
            raise TalosError(
                f"program '{program.name}' leaves {self.state.weights.level} bytes of weights unused; compile it again"
            )
        return {port.spec.name: np.stack(self._port(port)).reshape(port.shape) for port in program.outputs}

    def run(self, program: Program, inputs: Mapping[str, npt.NDArray[Any]]) -> dict[str, npt.NDArray[Any]]:
        """Run one image: ONNX arrays by name in (`IoSpec.to_tensor`) and out (`IoSpec.from_tensor`). Host parts are not run."""
        _require_inputs(program, inputs)
        codes = self.run_codes(program, {port.spec.name: port.spec.to_tensor(inputs[port.spec.name]) for port in program.inputs})
        return {port.spec.name: port.spec.from_tensor(codes[port.spec.name]) for port in program.outputs}

    def _port(self, port: Port) -> list[Int8Array]:
        """Views of a port's tensors in DRAM, one per image. Raises TalosError when the region does not hold them."""
        memory = self.state.dram[port.region]
        size = int(np.prod(port.spec.tensor_shape))
        views = []
        for offset in port.offsets:
            if not 0 <= offset <= memory.size - size:
                raise TalosError(
                    f"'{port.spec.name}': DRAM bytes [{offset}, {offset + size}) are outside region {port.region} of "
                    f"{memory.size} bytes; compile the program again"
                )
            views.append(memory[offset : offset + size].view(np.int8).reshape(port.spec.tensor_shape))
        return views


def _require_inputs(program: Program, given: Iterable[str]) -> None:
    names = [port.spec.name for port in program.inputs]
    if sorted(names) != sorted(given):
        raise TalosError(f"program '{program.name}' has the inputs {', '.join(names)}; given were {', '.join(given) or 'none'}")
