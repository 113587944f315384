"""A model of n images as a model of one, where that is the same."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from talos.backend.session import run_plainly
from talos.compiler.reading.load import model_inputs
from talos.errors import TalosError

__all__ = ["batch_size", "single_image"]

Arrays = dict[str, NDArray[Any]]

_MIXED = "the model depends on its batch size or mixes the images of a batch; Talos runs images one by one: use a batch of 1"

_CLOSE = 1e-5
"""Relative difference that float kernels for one image and for many may have: both round each sum differently, 2^-24 at a time."""


def batch_size(arrays: Mapping[str, NDArray[Any]]) -> int:
    """The number of images in the fed `arrays`: their first dimension if all have the same; else 1."""
    sizes = {array.shape[0] if array.ndim else 1 for array in arrays.values()}
    return sizes.pop() if len(sizes) == 1 else 1


def single_image(model: onnx.ModelProto, arrays: Mapping[str, NDArray[Any]], count: int) -> onnx.ModelProto:
    """A copy of `model` for one of `count` images.

    Whether the images are independent of each other is asked of onnxruntime, with `arrays`. Raises TalosError if they are not.
    """
    single = onnx.ModelProto()
    single.CopyFrom(model)
    for value in model_inputs(single):
        value.type.tensor_type.shape.dim[0].dim_value = 1
    for output in single.graph.output:
        output.type.tensor_type.ClearField("shape")
    del single.graph.value_info[:]
    try:
        single = onnx.shape_inference.infer_shapes(single, strict_mode=True, data_prop=True)
    except onnx.shape_inference.InferenceError as error:
        raise TalosError(f"{_MIXED} (its shapes do not fit one image)") from error
    together = run_plainly(model.SerializeToString(), arrays)
    try:
        one = single.SerializeToString()
        runs = [run_plainly(one, {name: array[image : image + 1] for name, array in arrays.items()}) for image in range(count)]
        apart = {name: np.concatenate([run[name] for run in runs]) for name in together}
    except (TalosError, ValueError) as error:
        raise TalosError(f"{_MIXED} (for one image it cannot be run)") from error
    for name, whole in together.items():
        if apart[name].shape != whole.shape or not np.allclose(apart[name], whole, rtol=_CLOSE, atol=_CLOSE, equal_nan=True):
            raise TalosError(f"{_MIXED} (output '{name}' is another one image by image)")
    return single
