"""The whole core runs a compiled network in a memory that pauses and fails."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import cocotb
import numpy as np
from cocotbext.axi import AxiResp

from sim.bench import configuration
from sim.core import ABORT, BUSY, START, Core
from talos.compiler.pipeline import compile_model
from talos.isa import INSTRUCTION_BYTES, Opcode, Unit
from talos.model.functional import FunctionalModel
from talos.program import CONSTANTS, Program
from talos.registers import ErrorCause
from talos.runtime.device import memory_map
from talos.runtime.execute import input_tensors

MODELS = Path(__file__).parent.parent / "models"
IMAGES = 3


@dataclass
class Network:
    """digits.onnx compiled, images as codes, and the results that the functional model gives: bytes by output name."""

    program: Program
    inputs: list[dict[str, np.ndarray]]
    expected: list[dict[str, bytes]]


@cache
def digits() -> Network:
    data = np.load(MODELS / "digits.npz")
    program = compile_model(MODELS / "digits.onnx", configuration(), {"input": data["calibrate"]}).program
    inputs = [input_tensors(program, {"input": data["x"][i : i + 1]}) for i in range(IMAGES)]
    model = FunctionalModel(configuration())
    expected = [{name: codes.tobytes() for name, codes in model.run_codes(program, tensors).items()} for tensors in inputs]
    assert len({tuple(outputs.values()) for outputs in expected}) == IMAGES, "the images must be told apart"
    return Network(program, inputs, expected)


class Machine(Core):
    """A core with the network's constants in its memory."""

    def __init__(self, dut: Any, name: str) -> None:
        super().__init__(dut, name)
        self.network = digits()
        self.bases, end = memory_map(self.network.program)
        self.memory.contents.write(0, self.bench.random.randbytes(end))  # results must not depend on what lay there
        self.memory.contents.write(self.bases[CONSTANTS], self.network.program.constants)

    async def start(self) -> None:
        await super().start()
        program = self.network.program
        await self.prepare(self.bases[CONSTANTS] + program.program_offset, program.instruction_count, self.bases)

    async def classify(self, image: int) -> int:
        """Run one image, compare every output byte; the number of cycles."""
        self.put(image)
        cycles = await self.succeed()
        for port in self.network.program.outputs:
            expected = self.network.expected[image][port.spec.name]
            seen = bytes(self.memory.contents.read(self.bases[port.region] + port.offset, len(expected)))
            assert seen == expected, f"image {image}, {port.spec.name}: {seen.hex()}, expected {expected.hex()}"
        return cycles

    def put(self, image: int) -> None:
        """Input bytes of one image into memory."""
        for port in self.network.program.inputs:
            codes = self.network.inputs[image][port.spec.name]
            self.memory.contents.write(self.bases[port.region] + port.offset, codes.tobytes())

    def fault_ranges(self) -> dict[Unit, range]:
        """For each unit that uses the bus, addresses that only its transfers touch."""
        program = self.network.program
        stream = next(i for i in program.instructions if i.opcode == Opcode.STREAM)
        weights = self.bases[stream["region"]] + stream["address"]
        middle = program.program_offset + program.instruction_count // 2 * INSTRUCTION_BYTES
        source, target = program.inputs[0], program.outputs[0]
        return {
            Unit.FETCH: range(self.bases[CONSTANTS] + middle, self.bases[CONSTANTS] + middle + INSTRUCTION_BYTES),
            Unit.LOAD: range(self.bases[source.region] + source.offset, self.bases[source.region] + source.offset + 16),
            Unit.WEIGHTS: range(weights, weights + 16),
            Unit.STORE: range(self.bases[target.region] + target.offset, self.bases[target.region] + target.offset + 1),
        }


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


@cocotb.test()
@cocotb.parametrize((("response", "pause"), [(AxiResp.SLVERR, 0.0), (AxiResp.DECERR, 0.4)]))
async def error_responses(dut: Any, response: AxiResp, pause: float) -> None:
    """An error response to each unit stops the core with its cause, leaves the bus at rest, and the next run is right."""
    machine = Machine(dut, f"error {response} {pause}")
    machine.memory.pause(pause)
    await machine.start()
    for unit, addresses in machine.fault_ranges().items():
        machine.put(0)
        if unit == Unit.STORE:
            machine.memory.fail(writes=addresses, response=response)
            await machine.stop(ErrorCause.WRITE_ERROR, unit)
        else:
            machine.memory.fail(reads=addresses, response=response)
            await machine.stop(ErrorCause.READ_ERROR, unit)
        machine.memory.fail()
    await machine.classify(1)


@cocotb.test()
async def abort_anywhere(dut: Any) -> None:
    """Aborts at random moments of the network, bursts of every unit under way: the bus comes to rest, and the next run is right."""
    machine = Machine(dut, "abort")
    machine.memory.pause(0.3)
    await machine.start()
    machine.put(0)
    for _ in range(8):
        await machine.write("CONTROL", START)
        await machine.cycles(machine.bench.random.randrange(8000))
        await machine.write("CONTROL", ABORT)
        for _ in range(100):
            if not await machine.read("STATUS") & BUSY:
                break
        await machine.at_rest()
    await machine.classify(1)
