"""Constants in the form the other rewrites expect: plain float arrays, products instead of quotients, sums instead of differences."""

import numpy as np
import onnx_ir as ir

from talos.compiler.prepare.edit import Rewrite, attribute, constant, nodes_of, rank, shape_of

__all__ = ["dequantize_constants", "simplify_constants"]


def dequantize_constants(graph: ir.Graph) -> None:
    """DequantizeLinear of constants → float constants."""
    for node in nodes_of(graph, "DequantizeLinear"):
        codes, scale = constant(node.inputs[0]), constant(node.inputs[1])
        given = constant(node.inputs[2]) if len(node.inputs) > 2 else None
        if codes is None or scale is None or attribute(node, "block_size", 0):
            continue
        zero = np.zeros(scale.shape, codes.dtype) if given is None else given
        if scale.ndim == 1 and scale.size > 1:
            shape = [1] * codes.ndim
            shape[attribute(node, "axis", 1)] = scale.size
            scale, zero = scale.reshape(shape), zero.reshape(shape)
        array = ((codes.astype(np.int64) - zero) * scale.astype(np.float64)).astype(np.float32)
        new = Rewrite(graph, [node]).constant(array, "dequantized")
        ir.convenience.replace_all_uses_with(node.outputs[0], new, replace_graph_outputs=True)
        graph.remove(node, safe=True)


def simplify_constants(graph: ir.Graph) -> None:
    """x / c → x · (1/c); x − c → x + (−c); max(x, c) and min(x, c) → Relu or Clip; a Pad by zeros does not name them."""
    for node in nodes_of(graph, "Div", "Sub"):
        array = constant(node.inputs[1])
        if array is None or array.dtype != np.float32 or not rank(node.outputs[0]) or (node.op_type == "Div" and not array.all()):
            continue
        rewrite = Rewrite(graph, [node])
        inverse = 1 / array.astype(np.float64) if node.op_type == "Div" else -array
        op_type = "Mul" if node.op_type == "Div" else "Add"
        rewrite.finish(rewrite.op(op_type, [node.inputs[0], inverse.astype(np.float32)], shape_of(node.outputs[0])))
    for node in nodes_of(graph, "Max", "Min"):
        if len(node.inputs) != 2:
            continue
        for x, other in (tuple(node.inputs), tuple(node.inputs)[::-1]):
            array = constant(other)
            if array is None or array.size != 1 or array.dtype != np.float32 or shape_of(x) != shape_of(node.outputs[0]):
                continue
            rewrite, bound = Rewrite(graph, [node]), array.reshape(())
            if node.op_type == "Max" and bound == 0:
                result = rewrite.op("Relu", [x], shape_of(x))
            else:
                bounds = [x, bound] if node.op_type == "Max" else [x, None, bound]
                result = rewrite.op("Clip", bounds, shape_of(x))
            rewrite.finish(result)
            break
    for node in nodes_of(graph, "Pad"):
        value = constant(node.inputs[2]) if len(node.inputs) > 2 else None
        if value is not None and value.dtype == np.float32 and not value.any():
            node.replace_input_with(2, None)
