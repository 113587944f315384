"""Talos against onnxruntime layer by layer: every layer's tensor beside the value of the quantized model that it stands for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from talos.compiler.pipeline import Compiled
from talos.compiler.reading.expose_values import expose_values
from talos.compiler.scheduling.expose_layers import LayerProgram, LayerValue
from talos.errors import TalosError
from talos.model.functional import FunctionalModel
from talos.runtime.execute import input_tensors
from talos.runtime.golden import GoldenModel

__all__ = ["FirstDifference", "LayerCheck", "LayerComparison", "LayerWitness"]


@dataclass(frozen=True)
class FirstDifference:
    """The first element, in ONNX order, of the first image in which a layer differs.

    Codes are those of the ONNX value (0…255 if it is uint8); values are what they stand for. onnxruntime's code is None where the ONNX
    value is a float, which then may lie off the grid.
    """

    image: int
    position: tuple[int, ...]
    talos_code: int
    talos_value: float
    onnxruntime_code: int | None
    onnxruntime_value: float


@dataclass
class LayerComparison:
    """One layer over all images. `value` is the ONNX value compared, empty if there is none (`LayerValue.value`).

    `max_difference` is in codes, rounded up where onnxruntime's value is a float.
    """

    layer: str
    op: str
    value: str
    values: int = 0
    different: int = 0
    max_difference: int = 0
    first: FirstDifference | None = None


@dataclass
class LayerCheck:
    """All layers in the order of execution, over `images` images.

    `reference_changed` is the number of output elements that onnxruntime computes otherwise when inner values are made visible: 0 means
    that what was compared is what the model as it stands computes inside. `program_changed` is the number of output bytes in
    which the program that shows its layers differs from the ordinary one.
    """

    layers: list[LayerComparison]
    images: int = 0
    reference_changed: int = 0
    program_changed: int = 0

    @property
    def first_different(self) -> LayerComparison | None:
        """The first layer in the order of execution that differs: where to look for the cause."""
        return next((layer for layer in self.layers if layer.different), None)

    @property
    def equal(self) -> bool:
        """No layer differs, and showing the layers changed nothing in the program."""
        return self.first_different is None and not self.program_changed


class LayerWitness:
    """onnxruntime with the inner values of the quantized model visible, beside the program that shows its layers.

    `check` counts what `compare` finds.
    """

    def __init__(self, compiled: Compiled, shown: LayerProgram) -> None:
        names = list(dict.fromkeys(value.value for value in shown.values if value.value))
        self._shown = shown
        self._model = FunctionalModel(compiled.program.config)
        self._plain = GoldenModel(compiled.quantized_model)
        self._exposed = GoldenModel(expose_values(compiled.quantized_model, names))
        self.check = LayerCheck([LayerComparison(value.layer, value.op, value.value) for value in shown.values])

    def compare(self, values: Mapping[str, NDArray[Any]], codes: Mapping[str, NDArray[np.int8]]) -> None:
        """Compare one image.

        `values` are its inputs with what the host makes of them (`HostParts.prepare`), `codes` the output tensors of the ordinary
        program. Raises TalosError where a value's shape in onnxruntime is not the one that was compiled.
        """
        check, program = self.check, self._shown.program
        tensors = self._model.run_codes(program, input_tensors(program, values))
        check.program_changed += sum(int(np.count_nonzero(tensors[name] != array)) for name, array in codes.items())
        expected = self._exposed.run(values)
        results = self._plain.run(values)
        check.reference_changed += sum(int(np.count_nonzero(expected[name] != result)) for name, result in results.items())
        for value, layer in zip(self._shown.values, check.layers, strict=True):
            if value.value:
                _compare(layer, value, tensors[value.port], expected[value.value], check.images)
        check.images += 1


def _compare(layer: LayerComparison, value: LayerValue, codes: NDArray[np.int8], expected: NDArray[Any], image: int) -> None:
    """Count one image."""
    if expected.shape != value.shape:
        raise TalosError(
            f"value '{value.value}': {_shape(expected.shape)} in onnxruntime, compiled as {_shape(value.shape)}; "
            "export the model with static shapes"
        )
    offset = 128 * value.unsigned
    stored = np.append(codes.reshape(-1), np.int8(value.zero_point)).astype(np.int32)  # index -1 is the code of 0.0
    ours, theirs = stored[value.positions], expected.reshape(-1)[value.elements]
    if value.real:
        values = (ours - value.zero_point).astype(np.float32) * value.scale
        wrong = values != theirs
        distance = np.ceil(np.abs(values.astype(np.float64) - theirs) / float(value.scale))
    else:
        wrong = ours + offset != theirs
        distance = np.abs(ours + offset - theirs.astype(np.int32))
    layer.values += theirs.size
    count = int(np.count_nonzero(wrong))
    if not count:
        return
    layer.different += count
    layer.max_difference = max(layer.max_difference, int(np.nan_to_num(distance).max()))
    if layer.first is None:
        place = int(np.argmax(wrong))

        def stands_for(code: int) -> float:
            return float(np.float32(code - offset - value.zero_point) * value.scale)

        layer.first = FirstDifference(
            image=image,
            position=tuple(int(axis) for axis in np.unravel_index(value.elements[place], value.shape)),
            talos_code=int(ours[place]) + offset,
            talos_value=stands_for(int(ours[place]) + offset),
            onnxruntime_code=None if value.real else int(theirs[place]),
            onnxruntime_value=float(theirs[place]) if value.real else stands_for(int(theirs[place])),
        )


def _shape(shape: Sequence[int]) -> str:
    return "×".join(map(str, shape)) or "scalar"
