"""Multiply-accumulates of ONNX nodes, from the shapes of their values."""

from collections.abc import Mapping

import numpy as np
import onnx

__all__ = ["WORK", "node_macs", "value_types"]

# The operand that holds the weights, by operator.
_CONVOLUTIONS = {"Conv": 1, "ConvInteger": 1, "FusedConv": 1, "QLinearConv": 3}
_PRODUCTS = ("FusedMatMul", "Gemm", "MatMul", "MatMulInteger", "QGemm", "QLinearMatMul")
_POOLS = ("AveragePool", "GlobalAveragePool", "GlobalMaxPool", "MaxPool", "QLinearAveragePool", "QLinearGlobalAveragePool")

WORK = (*_CONVOLUTIONS, "ConvTranspose", *_PRODUCTS, *_POOLS)
"""The operators for which one has an accelerator."""

Types = Mapping[str, tuple[str, tuple[int, ...] | None]]


def value_types(model: onnx.ModelProto) -> dict[str, tuple[str, tuple[int, ...] | None]]:
    """(NumPy type, shape) of every tensor of `model` whose type is known; shape None if it is not static."""
    types: dict[str, tuple[str, tuple[int, ...] | None]] = {}
    for tensor in model.graph.initializer:
        types[tensor.name] = onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type).name, tuple(tensor.dims)
    for value in (*model.graph.value_info, *model.graph.output, *model.graph.input):
        kind = value.type.tensor_type
        if not value.type.HasField("tensor_type") or not kind.elem_type:
            continue
        dims = kind.shape.dim
        static = kind.HasField("shape") and all(dim.HasField("dim_value") and dim.dim_value >= 0 for dim in dims)
        dtype = onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type).name
        types[value.name] = dtype, tuple(dim.dim_value for dim in dims) if static else None
    return types


def node_macs(node: onnx.NodeProto, types: Types) -> int:
    """Multiply-accumulates of `node`, taps on padding included, as is usual; 0 where shapes are unknown or nothing is multiplied."""

    def shape(position: int, names: list[str]) -> tuple[int, ...] | None:
        return types.get(names[position], ("", None))[1] if position < len(names) else None

    inputs, outputs = list(node.input), list(node.output)
    first, result = shape(0, inputs), shape(0, outputs)
    if first is None or result is None or not first:
        return 0
    if node.op_type in _CONVOLUTIONS or node.op_type == "ConvTranspose":
        weight = shape(_CONVOLUTIONS.get(node.op_type, 1), inputs)
        positions = first if node.op_type == "ConvTranspose" else result
        return 0 if weight is None else int(np.prod(positions)) * int(np.prod(weight[1:]))
    if node.op_type in _PRODUCTS:
        transposed = any(attribute.name == "transA" and attribute.i for attribute in node.attribute)
        return int(np.prod(result)) * first[0 if transposed else -1]
    return 0
