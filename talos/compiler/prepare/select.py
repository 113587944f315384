"""Which nodes of a prepared float model are quantized."""

import numpy as np
import onnx_ir as ir

from talos.compiler.prepare.edit import constant, excluded, rank
from talos.compiler.prepare.functions import DOMAIN

__all__ = ["ARRAY_OPS", "INPUT_OP", "quantize_inputs", "select_nodes"]

_COMPUTE = ("Conv", "ConvTranspose", "Gemm", "MatMul")
ARRAY_OPS = (
    *_COMPUTE, "Add", "AveragePool", "Concat", "DepthToSpace", "Expand", "Flatten", "Gather", "GlobalAveragePool", "MaxPool", "Mul", "Pad",
    "Reshape", "Resize", "Slice", "SpaceToDepth", "Split", "Squeeze", "Sub", "Sum", "Tile", "Transpose", "Unsqueeze",
    "Abs", "Celu", "Clip", "Elu", "Erf", "Exp", "Gelu", "HardSigmoid", "HardSwish", "LeakyRelu", "Mish", "Neg", "Relu", "Selu", "Sigmoid",
    "Softplus", "Softsign", "Swish", "Tanh", "ThresholdedRelu",
)  # fmt: skip
"""Operators that are quantized. Softmax, ArgMax and the like stay float, and run on the host if they stand at the end."""

INPUT_OP = "Identity"
"""Stands behind each float input while the model is quantized: onnxruntime's quantizer leaves a clamp, a pooling or a Transpose alone that
reads an input of the graph directly."""


def select_nodes(graph: ir.Graph) -> tuple[str, ...]:
    """The names of the nodes to quantize.

    An operator with weights is quantized if they are constant. Any other of `ARRAY_OPS`, and a function of one tensor, is quantized unless
    it belongs to a float tail: behind an operator that stays float, with no quantized weights in between or after it.
    """
    feeds: set[ir.Node] = set()  # some quantized weights come after it
    for node in reversed(list(graph)):
        readers = {use.node for value in node.outputs for use in value.uses()}
        if any(reader in feeds or _has_weights(reader) for reader in readers):
            feeds.add(node)
    chosen: list[str] = []
    tainted: set[ir.Value | None] = set()
    for node in graph:
        if not _known(node):
            tainted.update(node.outputs)
        elif _has_weights(node):
            chosen.append(str(node.name))
        elif any(value in tainted for value in node.inputs) and node not in feeds:
            tainted.update(node.outputs)
        else:
            chosen.append(str(node.name))
    return tuple(chosen)


def quantize_inputs(graph: ir.Graph, chosen: tuple[str, ...]) -> tuple[str, ...]:
    """Puts `INPUT_OP` behind each float input that a node in `chosen` reads, in place, and returns `chosen` with those nodes."""
    added = []
    for value in graph.inputs:
        if not rank(value) or not any(use.node.name in chosen for use in value.uses()):
            continue
        output = ir.val(f"{value.name}/quantized", dtype=ir.DataType.FLOAT, shape=value.shape)
        node = ir.node(INPUT_OP, [value], outputs=[output], name=f"{value.name}/quantized")
        readers = [use for use in value.uses() if use.node.name in chosen]
        for use in readers:
            use.node.replace_input_with(use.idx, output)
        graph.insert_before(graph[0], node)
        added.append(str(node.name))
    return (*added, *chosen)


def _known(node: ir.Node) -> bool:
    if excluded(node) or not rank(node.outputs[0]):
        return False
    if node.op_type in _COMPUTE:
        return _has_weights(node)
    if node.op_type == "Clip" and _empty_range(node):
        return False
    return node.domain == DOMAIN or (node.op_type in ARRAY_OPS and node.domain in ("", "ai.onnx"))


def _empty_range(node: ir.Node) -> bool:
    """Whether a Clip's minimum is above its maximum: it is a constant then, and onnxruntime's quantizer would make another function of it."""
    low, high = (constant(node.inputs[place]) if len(node.inputs) > place else None for place in (1, 2))
    return low is not None and high is not None and bool(np.all(low > high))


def _has_weights(node: ir.Node) -> bool:
    return node.op_type in _COMPUTE and not excluded(node) and len(node.inputs) > 1 and constant(node.inputs[1]) is not None
