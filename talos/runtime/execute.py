"""Running a program on one image, from ONNX inputs to ONNX outputs: host part, quantize, accelerator, dequantize, host part."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from talos.errors import TalosError
from talos.program import HostPart, Program
from talos.runtime.golden import GoldenModel

__all__ = ["HostParts", "input_tensors", "split_batch", "stack_batch"]

Arrays = dict[str, NDArray[Any]]
Tensors = dict[str, NDArray[np.int8]]


def input_tensors(program: Program, values: Mapping[str, NDArray[Any]]) -> Tensors:
    """The accelerator's input codes for one image, from what `HostParts.prepare` gives.

    Raises TalosError for missing values, or another shape or type.
    """
    missing = [port.spec.name for port in program.inputs if port.spec.name not in values]
    if missing:
        raise TalosError(f"program '{program.name}' needs '{missing[0]}', which its host part makes; prepare the image first")
    return {port.spec.name: port.spec.to_tensor(values[port.spec.name]) for port in program.inputs}


def stack_batch(program: Program, images: Sequence[Tensors]) -> Tensors:
    """The input codes of one run, `Port.shape`, from those of at most `program.batch` images; the last one fills what is missing."""
    if program.batch == 1:
        return images[0]
    filled = [*images, *[images[-1]] * (program.batch - len(images))]
    return {name: np.stack([image[name] for image in filled]) for name in filled[0]}


def split_batch(program: Program, codes: Tensors, count: int) -> list[Tensors]:
    """The output codes of the first `count` images of a run, image by image: the inverse of `stack_batch`."""
    if program.batch == 1:
        return [codes]
    return [{name: array[image] for name, array in codes.items()} for image in range(count)]


class HostParts:
    """What surrounds the accelerator: the program's host parts, in onnxruntime, and the conversion of its outputs to ONNX values."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._parts = [(part, GoldenModel(part.model)) for part in program.host]

    def prepare(self, image: Mapping[str, NDArray[Any]]) -> Arrays:
        """The ONNX values that there are before the accelerator starts: the graph's inputs, and what the host makes of them.

        Raises TalosError for missing or unknown inputs, or another shape or type.
        """
        feeds = {feed.name: feed for feed in self._program.feeds}
        if set(image) != set(feeds):
            raise TalosError(
                f"program '{self._program.name}' needs the inputs {', '.join(sorted(feeds))}, not {', '.join(sorted(image)) or 'none'}"
            )
        values = {name: feed.require(image[name]) for name, feed in feeds.items()}
        return self._run("before", values)

    def finish(self, codes: Mapping[str, NDArray[np.int8]], values: Mapping[str, NDArray[Any]]) -> Arrays:
        """The ONNX graph's outputs, in its order, from the accelerator's output tensors and what `prepare` gave."""
        made = {port.spec.name: port.spec.from_tensor(codes[port.spec.name]) for port in self._program.outputs}
        made = self._run("after", dict(values) | made)
        return {name: made[name] for name in self._program.results}

    def _run(self, stage: str, values: Arrays) -> Arrays:
        """`values` and what the host parts of `stage` make of them."""
        for part, model in self._parts:
            if part.stage == stage:
                values = values | self._outputs(part, model, values)
        return values

    @staticmethod
    def _outputs(part: HostPart, model: GoldenModel, values: Arrays) -> Arrays:
        return model.run({name: values[name] for name in part.inputs})
