"""The check that there is a reference: that onnxruntime can run the model at all."""

import numpy as np
import onnx

from talos.compiler.reading.load import model_inputs
from talos.compiler.reading.reference_session import reason, reference_session
from talos.errors import TalosError

__all__ = ["require_reference"]


def require_reference(model: onnx.ModelProto, file: str) -> None:
    """Raise TalosError, with onnxruntime's reason, if it cannot run `model` (one image): then there are no results to agree with.

    The model is run on zeros, for some mistakes show only then: a `kernel_shape` that is not the weight's, padding by reflection that is
    wider than the image. It takes about the time of one image in onnxruntime. `file` is for messages.
    """
    feeds = {}
    for value in model_inputs(model):
        kind = value.type.tensor_type
        dtype = onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type)
        feeds[value.name] = np.zeros([dim.dim_value or 1 for dim in kind.shape.dim], dtype)
    serialized = model.SerializeToString()
    try:
        reference_session(serialized).run(None, feeds)
    except Exception as error:  # onnxruntime's exceptions share no base class
        told = error
        try:
            reference_session(serialized, optimized=False).run(None, feeds)
        except Exception as plain:  # this one names the nodes as the user does
            told = plain
        raise TalosError(f"{file}: onnxruntime cannot run the model ({reason(told)}); correct it") from error
