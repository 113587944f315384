"""Types and shapes of all values of a model; those behind operators that only onnxruntime knows are asked of it."""

from collections.abc import Mapping
from typing import Any

import numpy.typing as npt
import onnx
import onnxruntime
from onnx import helper

from talos.compiler.reading.macs import value_types

__all__ = ["infer_shapes", "output_types"]

ValueTypes = dict[str, tuple[str, tuple[int, ...] | None]]

_NAMES = {"float": "float32", "double": "float64"}


def infer_shapes(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy of `model` with all shapes that can be inferred. Raises onnx.shape_inference.InferenceError for shapes that do not fit."""
    inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)
    if all(node.domain in ("", "ai.onnx") for node in model.graph.node):
        return inferred
    known = value_types(inferred)
    unknown = [name for node in model.graph.node for name in node.output if name and known.get(name, ("", None))[1] is None]
    if not unknown:
        return inferred
    shown = onnx.ModelProto()
    shown.CopyFrom(model)
    del shown.graph.output[:]
    shown.graph.output.extend(onnx.ValueInfoProto(name=name) for name in unknown)
    try:
        types = output_types(shown.SerializeToString())
    except Exception:  # onnxruntime's exceptions share no base class; what it cannot load is refused when it is to run
        return inferred
    described = {value.name for value in inferred.graph.output}
    for name, (dtype, shape) in types.items():
        if shape is not None and dtype in _ELEMENTS and name not in described:
            inferred.graph.value_info.append(helper.make_tensor_value_info(name, _ELEMENTS[dtype], shape))
    return inferred


_ELEMENTS = {
    "float32": onnx.TensorProto.FLOAT, "float64": onnx.TensorProto.DOUBLE, "float16": onnx.TensorProto.FLOAT16,
    "int8": onnx.TensorProto.INT8, "uint8": onnx.TensorProto.UINT8, "int16": onnx.TensorProto.INT16,
    "uint16": onnx.TensorProto.UINT16, "int32": onnx.TensorProto.INT32, "uint32": onnx.TensorProto.UINT32,
    "int64": onnx.TensorProto.INT64, "uint64": onnx.TensorProto.UINT64, "bool": onnx.TensorProto.BOOL,
}  # fmt: skip


def output_types(model: bytes, feeds: Mapping[str, npt.NDArray[Any]] | None = None) -> ValueTypes:
    """(NumPy type, shape) of the outputs of a serialized model, as onnxruntime infers them; shape None if it is not static.

    With `feeds` the model is run, too: much that is wrong shows only then. Raises whatever onnxruntime raises for a model that it cannot
    load or run.
    """
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    if feeds is not None:
        session.run(None, dict(feeds))
    types: ValueTypes = {}
    for value in session.get_outputs():
        kind = value.type.removeprefix("tensor(").removesuffix(")")
        static = all(isinstance(size, int) for size in value.shape)
        types[value.name] = _NAMES.get(kind, kind), tuple(value.shape) if static else None
    return types
