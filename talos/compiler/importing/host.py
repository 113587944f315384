"""The parts of a network that run on the host, as ONNX models of their own."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper

from talos.compiler.importing.partition import Partition
from talos.compiler.reading.infer_shapes import output_types
from talos.errors import TalosError
from talos.program import HostPart

__all__ = ["HOST_OPS", "host_part"]

HOST_OPS = ("ArgMax", "ArgMin", "LogSoftmax", "NonMaxSuppression", "Softmax", "TopK")
"""Operators that are the host's by nature: they end a network, on a few values, in float."""


def host_part(
    model: onnx.ModelProto,
    file: str,
    partition: Partition,
    stage: str,
    nodes: Iterable[str],
    outputs: list[str],
    types: dict[str, tuple[str, tuple[int, ...] | None]],
) -> HostPart:
    """`nodes` of `model`, and what makes constants for them, as a part that makes the values `outputs`; `stage` is "before" or "after".

    `types` has the type and shape of each value that the part reads; those of its outputs are added. Raises TalosError if onnxruntime
    cannot run it.
    """
    flow = partition.flow
    chosen = list(nodes)
    names = flow.with_constants([*chosen, *(flow.producer[value] for value in outputs if value in flow.producer)])
    made = {value for name in names for value in flow.nodes[name].output}
    reads = dict.fromkeys(value for name in names for value in flow.reads[name])
    constants = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in reads if value not in made and value not in constants]
    # onnxruntime wants every output to be made by a node: constants get one.
    copies = [_copy_of(tensor) for tensor in model.graph.initializer if tensor.name in outputs]
    graph = helper.make_graph(
        [*(flow.nodes[name] for name in names), *copies],
        f"host_{stage}",
        [_description(name, types[name]) for name in inputs],
        [onnx.ValueInfoProto(name=name) for name in outputs],
        initializer=[tensor for tensor in model.graph.initializer if tensor.name in reads and tensor.name not in outputs],
    )
    part = helper.make_model(graph, opset_imports=model.opset_import)
    part.ir_version = model.ir_version
    serialized = part.SerializeToString(deterministic=True)
    reasons = partition.reasons(chosen)
    try:
        types |= output_types(serialized, _zeros({name: types[name] for name in inputs}))
    except Exception as error:  # onnxruntime's own exceptions share no base class
        message = str(error).splitlines()[0]
        why = f"; not on the accelerator: node '{reasons[0].node}' ({reasons[0].op}): {reasons[0].reason}" if reasons else ""
        raise TalosError(f"{file}: onnxruntime cannot run what is left to the host ({message}){why}") from error
    return HostPart(
        stage=stage,
        nodes=tuple(chosen),
        op_types=tuple(flow.nodes[name].op_type for name in chosen),
        model=serialized,
        inputs=tuple(inputs),
        outputs=tuple(outputs),
        reasons=reasons,
    )


def _zeros(types: dict[str, tuple[str, tuple[int, ...] | None]]) -> dict[str, npt.NDArray[Any]] | None:
    """Feeds to try the part with; None if a shape is not known."""
    shapes = {name: (dtype, shape) for name, (dtype, shape) in types.items() if shape is not None}
    return {name: np.zeros(shape, dtype) for name, (dtype, shape) in shapes.items()} if len(shapes) == len(types) else None


def _copy_of(tensor: onnx.TensorProto) -> onnx.NodeProto:
    value = onnx.TensorProto()
    value.CopyFrom(tensor)
    return helper.make_node("Constant", [], [tensor.name], value=value)


def _description(name: str, kind: tuple[str, tuple[int, ...] | None]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(np.dtype(kind[0])), kind[1])
