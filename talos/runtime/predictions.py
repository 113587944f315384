"""What networks say about images: Talos beside onnxruntime, and the float model."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from talos.compiler.pipeline import Compiled
from talos.errors import TalosError
from talos.model.functional import FunctionalModel
from talos.runtime.classes import predicted_class
from talos.runtime.execute import input_tensors
from talos.runtime.golden import GoldenModel
from talos.runtime.progress import Progress, silent
from talos.runtime.samples import Samples
from talos.runtime.witness import Witness

__all__ = ["ComparedRun", "compared_runs", "float_classes"]


@dataclass(frozen=True)
class ComparedRun:
    """One image: its inputs with what the host makes of them, the accelerator's output tensors, and the classes that Talos and
    onnxruntime name (None if the results name none).
    """

    values: dict[str, NDArray[Any]]
    codes: dict[str, NDArray[np.int8]]
    talos: int | None
    onnxruntime: int | None


def compared_runs(
    compiled: Compiled, samples: Samples, witness: Witness, *, progress: Progress = silent
) -> Iterator[ComparedRun]:
    """Run `samples` one by one on the functional model and on onnxruntime; `witness` counts what differs. Raises TalosError."""
    program = compiled.program
    model = FunctionalModel(program.config)
    for index, image in enumerate(samples.inputs):
        values = witness.host.prepare(image)
        codes = model.run_codes(program, input_tensors(program, values))
        ours, theirs = witness.compare(values, codes)
        yield ComparedRun(values, codes, predicted_class(ours), predicted_class(theirs))
        progress("functional model against onnxruntime", index + 1, len(samples.inputs))


def float_classes(model: bytes, samples: Samples, *, progress: Progress = silent) -> list[int]:
    """The classes that the float model (serialized) names, in onnxruntime. Raises TalosError if it names none."""
    golden = GoldenModel(model)
    classes = []
    for index, image in enumerate(samples.inputs):
        predicted = predicted_class(golden.run(image))
        if predicted is None:
            raise TalosError("the float model's results name no class although the quantized model's do; check its outputs")
        classes.append(predicted)
        progress("float model in onnxruntime", index + 1, len(samples.inputs))
    return classes
