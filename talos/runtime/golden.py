"""onnxruntime as the witness: the quantized model run with its fused integer kernels."""

from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from talos.errors import TalosError

__all__ = ["GoldenModel"]


class GoldenModel:
    """An ONNX model (serialized) in onnxruntime, deterministic, with int8 activations fused as uint8 ones are."""

    def __init__(self, model: bytes) -> None:
        options = onnxruntime.SessionOptions()
        options.add_session_config_entry("session.qdqisint8allowed", "1")
        options.intra_op_num_threads = 1
        options.log_severity_level = 3
        try:
            # That pass merges two quantizations in a row into one with a third scale, which is another network.
            self._session = onnxruntime.InferenceSession(
                model, options, providers=["CPUExecutionProvider"], disabled_optimizers=["DoubleQDQPairsRemover"]
            )
        except Exception as error:  # onnxruntime raises several unrelated types
            raise TalosError(f"onnxruntime cannot load the model: {str(error).splitlines()[0]}") from error
        self.outputs = tuple(value.name for value in self._session.get_outputs())

    def run(self, feeds: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """One image (batch 1): graph inputs by name → graph outputs by name."""
        values = self._session.run(list(self.outputs), feeds)
        return {name: np.asarray(value) for name, value in zip(self.outputs, values, strict=True)}
