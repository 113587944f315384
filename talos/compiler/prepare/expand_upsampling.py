"""ConvTranspose and linear Resize of a quantized model, as the convolutions that float models get before they are quantized."""

import onnx
import onnx_ir as ir

from talos.compiler.prepare.edit import constant, mark
from talos.compiler.prepare.resize import expand_linear_resizes
from talos.compiler.prepare.transposed_convolution import expand_transposed_convolutions

__all__ = ["expand_upsampling"]

_MIN_OPSET = 11  # Pad, DepthToSpace and Resize in their present form
_UPSAMPLING = ("ConvTranspose", "Resize")
_MOVES = ("DepthToSpace", "Flatten", "Reshape", "Slice", "Squeeze", "Transpose", "Unsqueeze")
_WAITING = ("Clip", "Relu", *_MOVES)
"""What may stand between a convolution and its QuantizeLinear."""


def expand_upsampling(model: onnx.ModelProto) -> onnx.ModelProto:
    """`model`, or a copy in which every upsampling between Dequantize- and QuantizeLinear is a Conv, DepthToSpace and Slice.

    `model` has static shapes and named nodes; the new Conv bears the name of the node that it replaces. What is quantized stays what it
    was, up to float rounding; see `expand_transposed_convolutions` and `expand_linear_resizes` for what is left as it is.
    """
    opset = next((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), 0)
    if opset < _MIN_OPSET or not any(node.op_type in _UPSAMPLING for node in model.graph.node):
        return model
    converted = ir.from_proto(model)
    graph = converted.graph
    mark(graph, frozenset(str(node.name) for node in graph if not _quantized(node)))
    expand_transposed_convolutions(graph)
    expand_linear_resizes(graph, quantized=True)
    return ir.to_proto(converted)


def _quantized(node: ir.Node) -> bool:
    """Whether the operand of `node` has been dequantized, and its result is quantized."""
    x = node.inputs[0] if node.inputs else None
    maker = x.producer() if x is not None else None
    while maker is not None and maker.op_type in _MOVES:
        maker = maker.inputs[0].producer() if maker.inputs[0] is not None else None
    return maker is not None and maker.op_type == "DequantizeLinear" and constant(maker.inputs[0]) is None and _waits(node)


def _waits(node: ir.Node) -> bool:
    """Whether everything that becomes of the results of `node` is quantized."""
    readers = [use.node for value in node.outputs for use in value.uses()]
    shown = any(value.is_graph_output() for value in node.outputs)
    return not shown and all(
        reader.op_type == "QuantizeLinear" or (reader.op_type in _WAITING and _waits(reader)) for reader in readers
    )
