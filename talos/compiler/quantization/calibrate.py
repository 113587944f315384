"""The value ranges of a float model's tensors, found by onnxruntime's calibration on samples."""

import contextlib
import io
import logging
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnxruntime import quantization
from onnxruntime.quantization.calibrate import save_tensors_data

from talos.compiler.reading.load import model_inputs
from talos.errors import TalosError

__all__ = ["METHODS", "Samples", "calibration_arrays", "only_errors", "write_ranges"]

METHODS = {
    "minmax": quantization.CalibrationMethod.MinMax,
    "entropy": quantization.CalibrationMethod.Entropy,
    "percentile": quantization.CalibrationMethod.Percentile,
}
"""By the names that the user knows them."""

# As many levels as int8 has; with onnxruntime's own 128 bins for 128 levels the range would always be the whole one.
_METHOD_OPTIONS: dict[str, dict[str, Any]] = {"entropy": {"num_bins": 512, "num_quantized_bins": 256}}

_MAX_BYTES = 1 << 28  # of the values that histograms are made of at once

Samples = Mapping[str, npt.NDArray[Any]]
"""For each input of the model, of its type, (n, *shape[1:]), the same n for all."""

Progress = Callable[[str, int, int], None]


def calibration_arrays(
    model: onnx.ModelProto, data: Mapping[str, npt.NDArray[Any]], file: str, count: int | None = None
) -> dict[str, npt.NDArray[Any]]:
    """The first `count` calibration samples (None: all) for each input of `model` (batch 1), (n, *shape[1:]) of its type.

    `data` is keyed by input name; a model with one input also takes an array named `calibrate` or `x`, or the only array there is. An array
    is (n, *shape[1:]), one sample without the batch dimension, or batches (m, n, *shape[1:]).
    Raises TalosError for a missing array, a wrong shape or type, values that are not finite, different numbers of samples, or none.
    """
    inputs = model_inputs(model)
    arrays: dict[str, npt.NDArray[Any]] = {}
    for value in inputs:
        key: str | None = value.name
        if key not in data:
            names = [name for name in ("calibrate", "x", *(data if len(data) == 1 else ())) if name in data]
            key = names[0] if len(inputs) == 1 and names else None
        if key is None:
            found = ", ".join(sorted(data)) or "nothing"
            raise TalosError(
                f"{file}: calibration data has no array '{value.name}' (it has: {found}); name the array after the input"
            )
        shape = tuple(dim.dim_value for dim in value.type.tensor_type.shape.dim)
        array = _batch(np.asarray(data[key]), shape)
        if array.ndim != len(shape) or array.shape[1:] != shape[1:]:
            need = "×".join(str(size) for size in ("n", *shape[1:]))
            have = "×".join(str(size) for size in array.shape) or "one number"
            raise TalosError(f"{file}: calibration array '{key}' is {have}, but input '{value.name}' needs {need}; reshape it")
        needed = onnx.helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type)
        if array.dtype != needed:
            raise TalosError(
                f"{file}: calibration array '{key}' is {array.dtype}, but input '{value.name}' needs {needed}; convert it the way "
                "the network was trained"
            )
        array = array[:count]
        if not len(array) or not np.isfinite(array).all():
            raise TalosError(f"{file}: calibration array '{key}' is empty or has values that are not finite; pass real samples")
        arrays[value.name] = array
    lengths = {name: len(array) for name, array in arrays.items()}
    if len(set(lengths.values())) > 1:
        text = ", ".join(f"'{name}': {length}" for name, length in lengths.items())
        raise TalosError(
            f"{file}: the inputs have different numbers of calibration samples ({text}); pass one of each per sample"
        )
    return arrays


def _batch(array: npt.NDArray[Any], shape: tuple[int, ...]) -> npt.NDArray[Any]:
    if array.shape == shape[1:]:
        return array[np.newaxis]
    if array.ndim == len(shape) + 1 and array.shape[2:] == shape[1:]:
        return array.reshape(-1, *shape[1:])
    return array


@dataclass(frozen=True)
class _Chunk(quantization.CalibrationDataReader):  # type: ignore[misc]  # onnxruntime has no types
    """Some of the samples, one at a time: the ranges then do not depend on how the samples were batched."""

    feeds: Iterator[dict[str, npt.NDArray[Any]]]

    def get_next(self) -> dict[str, npt.NDArray[Any]] | None:
        return next(self.feeds, None)


def write_ranges(
    model: onnx.ModelProto, op_types: list[str], arrays: Samples, path: Path, method: str, percentile: float, progress: Progress
) -> None:
    """Writes the range of every float tensor that an operator of `op_types` reads or makes, over all samples, as a file at `path`.

    The file is what `quantize_static` takes as its calibration cache. `method` is a key of `METHODS`; `percentile` in percent is used by
    that method only. `progress` hears of every sample.
    """
    count = len(next(iter(arrays.values())))
    options = {"symmetric": False, **_METHOD_OPTIONS.get(method, {})}
    if method == "percentile":
        options["percentile"] = percentile
    with tempfile.TemporaryDirectory(prefix="talos-") as folder, only_errors():
        source = Path(folder) / "float.onnx"
        onnx.save(model, source)
        calibrator = quantization.create_calibrator(
            source, op_types, str(Path(folder) / "augmented.onnx"), METHODS[method], extra_options=options
        )
        chunk = max(1, min(count, _MAX_BYTES // max(_bytes_per_sample(model), 1)))
        for start in range(0, count, chunk):

            def feeds(start: int = start) -> Iterator[dict[str, npt.NDArray[Any]]]:
                for index in range(start, min(start + chunk, count)):
                    progress("calibrating", index, count)
                    yield {name: array[index : index + 1] for name, array in arrays.items()}

            calibrator.collect_data(_Chunk(feeds()))
        progress("choosing ranges", 0, 0)
        save_tensors_data(calibrator.compute_data(), path)


def _bytes_per_sample(model: onnx.ModelProto) -> int:
    values = [*model.graph.value_info, *model.graph.input, *model.graph.output]
    return sum(4 * int(np.prod([dim.dim_value for dim in value.type.tensor_type.shape.dim])) for value in values)


@contextlib.contextmanager
def only_errors() -> Iterator[None]:
    """The quantizer prints what it does, and logs advice to the root logger; none of it concerns the user of Talos."""
    previous = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(previous)
