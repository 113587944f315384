"""A model with a batch of several images in its shapes, for one image."""

import numpy as np
import onnx
from onnx import numpy_helper

from talos.compiler.reading.macs import value_types
from talos.errors import TalosError

__all__ = ["fixed_batch", "single_image"]

_ALONG_AXIS = ("CumSum", "Hardmax", "LogSoftmax", "LpNormalization", "Softmax")
"""Operators that can mix the images of a batch without changing a shape."""


def fixed_batch(model: onnx.ModelProto) -> int:
    """The batch written into the shapes of the inputs: the first dimension that all of rank 2 and more have in common, else 1."""
    constants = {tensor.name for tensor in model.graph.initializer}
    dims = [value.type.tensor_type.shape.dim for value in model.graph.input if value.name not in constants]
    sizes = {shape[0].dim_value for shape in dims if len(shape) > 1}
    return max(1, sizes.pop()) if len(sizes) == 1 else 1


def single_image(model: onnx.ModelProto, file: str) -> onnx.ModelProto:
    """A copy of `model` for one image of its `fixed_batch`; `model` itself if that is 1.

    The batch is taken out of inputs and outputs and out of the shapes that Reshape is given. Raises TalosError naming `file` and the
    node if images are mixed: if the shape of a value is not that of one image with the batch in front, or an operator works along it.
    """
    batch = fixed_batch(model)
    if batch == 1:
        return model
    before = onnx.shape_inference.infer_shapes(model, data_prop=True)
    single = onnx.ModelProto()
    single.CopyFrom(model)
    graph = single.graph
    del graph.value_info[:]
    constants = {tensor.name for tensor in graph.initializer}
    for value in (*graph.input, *graph.output):
        dims = value.type.tensor_type.shape.dim
        if (
            value.name not in constants
            and len(dims) > 0
            and dims[0].dim_value == batch
            and (len(dims) > 1 or value in graph.output)
        ):
            dims[0].dim_value = 1
    _mend_reshapes(graph, batch)
    try:
        after = onnx.shape_inference.infer_shapes(single, strict_mode=True, data_prop=True)
    except onnx.shape_inference.InferenceError as error:
        reason = str(error).strip().splitlines()[-1].strip()
        raise TalosError(
            f"{file}: its batch of {batch} cannot be split ({reason}); export the model with a batch of 1"
        ) from error
    _require_apart(before, after, batch, file)
    return single


def _mend_reshapes(graph: onnx.GraphProto, batch: int) -> None:
    """A leading constant of `batch` in the shape of a Reshape becomes 1, in place."""
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    for node in graph.node:
        for attribute in node.attribute:
            if node.op_type == "Constant" and attribute.name == "value":
                constants[node.output[0]] = numpy_helper.to_array(attribute.t)
            elif node.op_type == "Constant" and attribute.name == "value_ints":
                constants[node.output[0]] = np.array(attribute.ints)
    for number, node in enumerate(graph.node):
        shape = constants.get(node.input[1]) if node.op_type == "Reshape" and len(node.input) > 1 else None
        if shape is not None and shape.size and shape.reshape(-1)[0] == batch:
            mended = shape.copy()
            mended[0] = 1
            node.input[1] = f"{node.input[1]}:one image:{number}"
            graph.initializer.append(numpy_helper.from_array(mended, node.input[1]))


def _require_apart(before: onnx.ModelProto, after: onnx.ModelProto, batch: int, file: str) -> None:
    """Raise TalosError for the first node that mixes the images of the batch."""
    old, new = value_types(before), value_types(after)
    computed = {value.name for value in after.graph.input} - {tensor.name for tensor in after.graph.initializer}
    for node in after.graph.node:
        if node.op_type in ("Shape", "Size") or not computed.intersection(node.input):
            continue
        computed.update(node.output)
        place = f"{file}: node '{node.name or node.output[0]}' ({node.op_type})"
        advice = f"mixes the {batch} images of the batch; export the model with a batch of 1"
        for name in filter(None, node.output):
            shape, single = old.get(name, ("", None))[1], new.get(name, ("", None))[1]
            if shape is not None and (shape[:1] != (batch,) or single is None or single != (1, *shape[1:])):
                raise TalosError(f"{place} {advice}")
            axis = next((attribute.i for attribute in node.attribute if attribute.name == "axis"), 1)
            if node.op_type in _ALONG_AXIS and shape is not None and axis in (0, -len(shape)):
                raise TalosError(f"{place} {advice}")
