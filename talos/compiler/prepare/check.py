"""Refuses weights of a foreign type, and weights that are no numbers, before a scale is sought for them."""

import numpy as np
import onnx
import onnx_ir as ir

from talos.compiler.prepare.edit import constant, origins
from talos.errors import TalosError

__all__ = ["check_types", "check_weights"]

_WEIGHTED = ("BatchNormalization", "Conv", "ConvTranspose", "Gemm", "MatMul", "PRelu")


def check_weights(graph: ir.Graph, file: str) -> None:
    """Raises TalosError, naming `file` and the node, if weights or what has been computed from them have values that are not finite.

    A negative variance shows here too: its root is not a number.
    """
    for node in graph:
        if node.op_type not in _WEIGHTED:
            continue
        for value in node.inputs[1:]:
            array = constant(value)
            if array is None or array.dtype.kind != "f" or np.isfinite(array).all():
                continue
            names = ", ".join(f"'{name}'" for name in origins(node))
            nodes = f"node {names}" if len(origins(node)) == 1 else f"nodes {names}"
            raise TalosError(
                f"{file}: {nodes} ({node.op_type}): weights that are not finite, or so large that their products are not; "
                "check the training and the export of the model"
            )


def check_types(model: onnx.ModelProto, file: str) -> None:
    """Raises TalosError, naming `file` and a node, if all layers with weights compute in another type than float32."""
    graph = model.graph
    types = {value.name: value.type.tensor_type.elem_type for value in (*graph.value_info, *graph.output)}
    found = [(node, types.get(node.output[0], onnx.TensorProto.FLOAT)) for node in graph.node if node.op_type in _WEIGHTED]
    if not found or any(kind == onnx.TensorProto.FLOAT for _, kind in found):
        return
    node, kind = found[0]
    name = onnx.helper.tensor_dtype_to_np_dtype(kind).name
    raise TalosError(f"{file}: node '{node.name}' ({node.op_type}) computes in {name}; export the model in float32")
