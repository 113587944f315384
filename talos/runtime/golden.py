"""onnxruntime as the witness: the quantized model run with its fused integer kernels."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from talos.compiler.reading.reference_session import reason, reference_session
from talos.errors import TalosError

__all__ = ["GoldenModel"]


class GoldenModel:
    """An ONNX model (serialized) in onnxruntime, deterministic, with int8 activations fused as uint8 ones are."""

    def __init__(self, model: bytes) -> None:
        try:
            self._session = reference_session(model)
        except Exception as error:  # onnxruntime raises several unrelated types
            raise TalosError(f"onnxruntime cannot load the model: {reason(error)}") from error
        self.output_types = tuple(self._session.get_outputs())  # onnxruntime's NodeArg: name, shape, type
        self.outputs = tuple(value.name for value in self.output_types)
        self._inputs = tuple(value.name for value in self._session.get_inputs())

    def run(self, feeds: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """One image (batch 1): graph inputs by name → graph outputs by name. `feeds` may hold more than the inputs.

        Raises TalosError if one is missing or onnxruntime fails.
        """
        try:
            values = self._session.run(list(self.outputs), {name: feeds[name] for name in self._inputs})
        except KeyError as error:
            raise TalosError(f"onnxruntime needs the input {error}; it was given {', '.join(feeds) or 'nothing'}") from error
        except Exception as error:  # onnxruntime raises several unrelated types
            raise TalosError(f"onnxruntime cannot run the model: {reason(error)}") from error
        return {name: np.asarray(value) for name, value in zip(self.outputs, values, strict=True)}
