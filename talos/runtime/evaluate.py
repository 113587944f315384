"""How good a network is on labelled data: float, quantized in onnxruntime, and on Talos."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from talos.compiler.pipeline import Compiled
from talos.errors import TalosError
from talos.program import Program
from talos.runtime.metrics import Metrics, measure, require_scikit_learn
from talos.runtime.predictions import compared_runs, float_classes
from talos.runtime.progress import Progress, silent
from talos.runtime.samples import Samples
from talos.runtime.witness import Witness

__all__ = ["Evaluation", "evaluate", "require_labels"]


@dataclass(frozen=True)
class Evaluation:
    """What `evaluate` found over `images` images from `source`. `float32` is None where the float model was not run.

    Talos and onnxruntime's int8 agree in `same_class` images, and in all but `mismatched_bytes` of `bytes` output bytes.
    """

    program: Program
    images: int
    source: str
    float32: Metrics | None
    onnxruntime: Metrics
    talos: Metrics
    same_class: int
    bytes: int
    mismatched_bytes: int

    @property
    def agreement(self) -> float:
        """Share of images for which Talos and onnxruntime's int8 name the same class (top-1 agreement)."""
        return self.same_class / self.images


def require_labels(samples: Samples, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Raise TalosError, saying what is wrong with 'y' in `arrays`, if `samples`, made from these, have no labels."""
    if samples.labels is not None:
        return
    if "y" not in arrays:
        raise TalosError(f"{samples.source}: no labels; add an array 'y' of one integer per image")
    found, count = arrays["y"], len(samples.inputs)
    shape = "×".join(map(str, found.shape)) or "scalar"
    raise TalosError(f"{samples.source}: array 'y' is {found.dtype} {shape}; labels are one integer per image, {count} here")


def evaluate(
    compiled: Compiled, samples: Samples, *, float_model: bytes | None = None, progress: Progress = silent
) -> Evaluation:
    """Run all `samples` on the functional model, in onnxruntime, and on `float_model` (serialized) if given; measure the classes.

    Raises TalosError where scikit-learn, labels or classes are missing.
    """
    require_scikit_learn()
    labels = samples.labels
    if labels is None:
        raise TalosError(f"{samples.source}: no labels to compare with; add an array 'y' of one integer per image")
    witness = Witness(compiled)
    talos: list[int] = []
    onnxruntime: list[int] = []
    for run in compared_runs(compiled, samples, witness, progress=progress):
        if run.talos is None or run.onnxruntime is None:
            raise TalosError(
                f"program '{compiled.program.name}': none of its results ({', '.join(compiled.program.results)}) is a vector of "
                "scores or a class number; use 'talos verify' for networks that do not classify"
            )
        talos.append(run.talos)
        onnxruntime.append(run.onnxruntime)
    real = float_classes(float_model, samples, progress=progress) if float_model is not None else None
    classes = sorted({*labels.tolist(), *talos, *onnxruntime, *(real or ())})

    def metrics(predicted: Sequence[int]) -> Metrics:
        return measure(labels, predicted, classes)

    return Evaluation(
        program=compiled.program,
        images=len(samples.inputs),
        source=samples.source,
        float32=metrics(real) if real is not None else None,
        onnxruntime=metrics(onnxruntime),
        talos=metrics(talos),
        same_class=int(np.count_nonzero(np.equal(talos, onnxruntime))),
        bytes=sum(output.bytes for output in witness.outputs.values()),
        mismatched_bytes=sum(output.mismatched_bytes for output in witness.outputs.values()),
    )
