"""Running a program on one image, from ONNX inputs to ONNX outputs: quantize, accelerator, dequantize, host parts."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from talos.errors import TalosError
from talos.program import Program
from talos.runtime.golden import GoldenModel

__all__ = ["HostParts", "input_tensors"]

Arrays = dict[str, NDArray[Any]]
Tensors = dict[str, NDArray[np.int8]]


def input_tensors(program: Program, inputs: Mapping[str, NDArray[Any]]) -> Tensors:
    """The codes of one image. Raises TalosError for missing or unknown inputs, or another shape or type."""
    names = {port.spec.name for port in program.inputs}
    if set(inputs) != names:
        raise TalosError(
            f"program '{program.name}' needs the inputs {', '.join(sorted(names))}, not {', '.join(sorted(inputs)) or 'none'}"
        )
    return {port.spec.name: port.spec.to_tensor(inputs[port.spec.name]) for port in program.inputs}


class HostParts:
    """What follows the accelerator: its outputs as ONNX values, then the program's host parts in onnxruntime."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._parts = [(part, GoldenModel(part.model)) for part in program.host]

    def finish(self, codes: Tensors) -> Arrays:
        """The ONNX graph's outputs, in its order, from the accelerator's output tensors."""
        values: Arrays = {port.spec.name: port.spec.from_tensor(codes[port.spec.name]) for port in self._program.outputs}
        for part, model in self._parts:
            values |= model.run({name: values[name] for name in part.inputs})
        return {name: values[name] for name in self._program.results}
