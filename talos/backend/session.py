"""onnxruntime on float models and on single nodes: node by node, and without a word where a probe is to fail."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from talos.errors import TalosError

__all__ = ["run_plainly"]


def run_plainly(model: bytes, feeds: Mapping[str, NDArray[Any]], names: list[str] | None = None) -> dict[str, NDArray[Any]]:
    """The outputs in `names` (None: all) of a serialized model, each node computed by itself, with no fusion.

    `feeds` may hold more than the inputs. Raises TalosError if onnxruntime cannot run the model.
    """
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        wanted = names if names is not None else [value.name for value in session.get_outputs()]
        outputs = session.run(wanted, {value.name: feeds[value.name] for value in session.get_inputs()})
    except Exception as error:  # onnxruntime raises several unrelated types
        raise TalosError(f"onnxruntime cannot run the model ({str(error).splitlines()[0]})") from error
    return {name: np.asarray(output) for name, output in zip(wanted, outputs, strict=True)}
