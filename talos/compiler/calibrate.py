"""Quantizes a float model with onnxruntime's own tool: the QDQ model it writes is compiled and is the reference at once."""

import contextlib
import logging
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnxruntime import quantization

from talos.compiler.load import model_inputs
from talos.errors import TalosError

__all__ = ["ARRAY_OPS", "calibration_arrays", "quantize_float"]

# Softmax and ArgMax are left out on purpose: they stay float behind the last layer and run on the host.
ARRAY_OPS = (
    "Add", "AveragePool", "Clip", "Conv", "Elu", "Flatten", "Gemm", "GlobalAveragePool", "HardSigmoid", "HardSwish", "LeakyRelu",
    "MatMul", "MaxPool", "Pad", "Relu", "Reshape", "Sigmoid", "Slice", "Squeeze", "Tanh", "Transpose", "Unsqueeze",
)  # fmt: skip

_OPTIONS = {
    "ActivationSymmetric": False,  # a zero point of -128 after Relu lets the clamp fuse; symmetric codes would waste half the range
    "WeightSymmetric": True,  # the array multiplies by plain int8 weights
    "QuantizeBias": True,
}


def calibration_arrays(
    model: onnx.ModelProto, data: Mapping[str, npt.NDArray[Any]], file: str
) -> dict[str, npt.NDArray[np.float32]]:
    """The calibration samples for each input of `model` (batch 1), (n, *shape[1:]) float32.

    `data` is keyed by input name; a model with one input also takes an array named `calibrate` or `x`, or the only array there is.
    Raises TalosError for a missing array, a wrong shape or type, or no samples.
    """
    inputs = model_inputs(model)
    arrays: dict[str, npt.NDArray[np.float32]] = {}
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
        array = np.asarray(data[key])
        shape = tuple(dim.dim_value for dim in value.type.tensor_type.shape.dim)
        if array.ndim != len(shape) or array.shape[1:] != shape[1:]:
            need = "×".join(str(size) for size in ("n", *shape[1:]))
            have = "×".join(str(size) for size in array.shape)
            raise TalosError(f"{file}: calibration array '{key}' is {have}, but input '{value.name}' needs {need}; reshape it")
        if array.dtype != np.float32:
            raise TalosError(
                f"{file}: calibration array '{key}' is {array.dtype}, but input '{value.name}' needs float32; convert it the way "
                "the network was trained"
            )
        if not len(array) or not np.isfinite(array).all():
            raise TalosError(f"{file}: calibration array '{key}' is empty or has values that are not finite; pass real samples")
        arrays[value.name] = array
    return arrays


def quantize_float(model: onnx.ModelProto, arrays: Mapping[str, npt.NDArray[np.float32]], file: str) -> onnx.ModelProto:
    """The QDQ model of the prepared float `model`: activations int8 with zero points, weights int8 per output channel.

    Ranges are the minimum and maximum over the samples in `arrays` (see `calibration_arrays`), one sample at a time, so the result
    depends on nothing else. Raises TalosError when onnxruntime's quantizer fails.
    """
    with tempfile.TemporaryDirectory(prefix="talos-") as folder, _quiet():
        output = Path(folder) / "quantized.onnx"
        try:
            quantization.quantize_static(
                model,
                output,
                _Samples(arrays),
                quant_format=quantization.QuantFormat.QDQ,
                op_types_to_quantize=list(ARRAY_OPS),
                per_channel=True,
                activation_type=quantization.QuantType.QInt8,
                weight_type=quantization.QuantType.QInt8,
                calibrate_method=quantization.CalibrationMethod.MinMax,
                extra_options=dict(_OPTIONS),
            )
        except Exception as error:  # the quantizer raises whatever its parts raise
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise TalosError(
                f"{file}: onnxruntime cannot quantize the model ({reason}); quantize it yourself and pass it"
            ) from error
        return onnx.load(output)


class _Samples(quantization.CalibrationDataReader):  # type: ignore[misc]  # onnxruntime has no types
    def __init__(self, arrays: Mapping[str, npt.NDArray[np.float32]]) -> None:
        count = min(len(array) for array in arrays.values())
        self._samples: Iterator[dict[str, npt.NDArray[np.float32]]] = (
            {name: array[index : index + 1] for name, array in arrays.items()} for index in range(count)
        )

    def get_next(self) -> dict[str, npt.NDArray[np.float32]] | None:
        return next(self._samples, None)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """The quantizer logs advice to the root logger; none of it concerns the user of Talos."""
    previous = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(previous)
