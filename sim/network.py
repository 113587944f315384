"""The core with a compiled network in its memory: digits.onnx, or a small one that takes a few hundred cycles."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from sim.bench import configuration
from sim.core import ABORT, BUSY, Core
from talos.compiler.pipeline import compile_model
from talos.model.functional import FunctionalModel
from talos.program import CONSTANTS, Program
from talos.runtime.device import memory_map
from talos.runtime.execute import input_tensors

__all__ = ["Machine", "Network", "digits", "small"]

MODELS = Path(__file__).parent.parent / "models"
IMAGES = 3


@dataclass
class Network:
    """A compiled model, images as codes, and the results that the functional model gives: bytes by output name."""

    program: Program
    inputs: list[dict[str, np.ndarray]]
    expected: list[dict[str, bytes]]


def _network(path: Path, samples: np.ndarray, calibrate: np.ndarray | None) -> Network:
    """`samples` and `calibrate` are (n, …) values of the model's only input, `input`."""
    program = compile_model(path, configuration(), None if calibrate is None else {"input": calibrate}).program
    inputs = [input_tensors(program, {"input": samples[i : i + 1]}) for i in range(IMAGES)]
    model = FunctionalModel(configuration())
    expected = [{name: codes.tobytes() for name, codes in model.run_codes(program, tensors).items()} for tensors in inputs]
    assert len({tuple(outputs.values()) for outputs in expected}) == IMAGES, "the images must be told apart"
    return Network(program, inputs, expected)


@cache
def digits() -> Network:
    data = np.load(MODELS / "digits.npz")
    return _network(MODELS / "digits.onnx", data["x"][:IMAGES], data["calibrate"])


@cache
def small() -> Network:
    """Two convolutions with random weights on 5 × 5 pixels: every unit works and every kind of transfer happens."""
    rng = np.random.default_rng(7)
    shape = (1, 4, 5, 5)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "small.onnx"
        onnx.save(_two_convolutions(rng, shape), path)
        return _network(path, rng.normal(0, 1, (IMAGES, *shape[1:])).astype(np.float32), None)


def _two_convolutions(rng: np.random.Generator, shape: tuple[int, ...]) -> onnx.ModelProto:
    """Quantized in QDQ form; scales such that codes spread over int8."""
    constants: dict[str, Any] = {"zero": np.int8(0), "zeros": np.int32(0)}
    nodes: list[onnx.NodeProto] = []

    def pair(value: str, scale: float) -> str:
        constants[f"{value}_scale"] = np.float32(scale)
        nodes.append(helper.make_node("QuantizeLinear", [value, f"{value}_scale", "zero"], [f"{value}_codes"]))
        nodes.append(helper.make_node("DequantizeLinear", [f"{value}_codes", f"{value}_scale", "zero"], [f"{value}_again"]))
        return f"{value}_again"

    def convolution(x: str, name: str, weights: tuple[int, ...], scale: float, pad: int) -> str:
        constants[f"{name}_w"] = rng.integers(-127, 128, weights).astype(np.int8)
        constants[f"{name}_s"] = np.float32(0.01)
        nodes.append(helper.make_node("DequantizeLinear", [f"{name}_w", f"{name}_s", "zero"], [f"{name}_weights"]))
        nodes.append(helper.make_node("Conv", [x, f"{name}_weights"], [name], kernel_shape=weights[2:], pads=[pad] * 4))
        return pair(name, scale)

    first = convolution(pair("input", 0.02), "wide", (8, shape[1], 3, 3), 0.1, 1)
    last = convolution(first, "narrow", (12, 8, 1, 1), 0.2, 0)
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(last, TensorProto.FLOAT, (1, 12, *shape[2:]))],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


class Machine(Core):
    """A core with the network's constants in its memory."""

    def __init__(self, dut: Any, name: str, network: Callable[[], Network] = digits) -> None:
        super().__init__(dut, name)
        self.network = network()
        self.bases, self._end = memory_map(self.network.program)
        self.fill()

    def fill(self) -> None:
        """Write the constants into memory, and noise elsewhere: results must not depend on what lay there."""
        self.memory.contents.write(0, self.bench.random.randbytes(self._end))
        self.memory.contents.write(self.bases[CONSTANTS], self.network.program.constants)

    @property
    def program(self) -> int:
        """Address of the first instruction."""
        return self.bases[CONSTANTS] + self.network.program.program_offset

    async def start(self) -> None:
        await super().start()
        await self.configure()

    async def configure(self) -> None:
        """Registers for a run of the network."""
        await self.prepare(self.program, self.network.program.instruction_count, self.bases)

    async def classify(self, image: int) -> int:
        """Run one image, compare every output byte; the number of cycles."""
        self.put(image)
        cycles = await self.succeed()
        self.check(image)
        return cycles

    def check(self, image: int) -> None:
        """The output bytes in memory are those of the image."""
        for port in self.network.program.outputs:
            expected = self.network.expected[image][port.spec.name]
            seen = bytes(self.memory.contents.read(self.bases[port.region] + port.offset, len(expected)))
            assert seen == expected, f"image {image}, {port.spec.name}: {seen.hex()}, expected {expected.hex()}"

    def put(self, image: int) -> None:
        """Input bytes of one image into memory."""
        for port in self.network.program.inputs:
            codes = self.network.inputs[image][port.spec.name]
            self.memory.contents.write(self.bases[port.region] + port.offset, codes.tobytes())

    async def abort(self, limit: int) -> None:
        """Abort whatever runs: within `limit` cycles the core is not busy, and the bus is at rest."""
        await self.write("CONTROL", ABORT)
        begin = self.bench.cycle
        while await self.read("STATUS") & BUSY:
            assert self.bench.cycle < begin + limit, f"busy {limit} cycles after an abort, {self.rules.moving} bursts under way"
        await self.at_rest()
