"""Sums, means and extremes of several tensors as operators of two, which quantizers and the accelerator know."""

import numpy as np
import onnx_ir as ir

from talos.compiler.prepare.edit import Rewrite, constant, nodes_of, shape_of

__all__ = ["split_extremes", "split_sums"]


def split_sums(graph: ir.Graph) -> None:
    """Sum and Mean of several tensors → Adds, and Mul by the share of one."""
    for node in nodes_of(graph, "Sum", "Mean"):
        shapes = [shape_of(value) for value in node.inputs]
        if len(shapes) < 2 or not shape_of(node.outputs[0]):
            continue
        rewrite, y, shape = Rewrite(graph, [node]), node.inputs[0], shapes[0]
        for position, operand in enumerate(node.inputs[1:], 1):
            shape = np.broadcast_shapes(shape, shapes[position])
            last = position == len(shapes) - 1 and node.op_type == "Sum"
            y = rewrite.op("Add", [y, operand], shape, label="" if last else f"sum_{position}")
        if node.op_type == "Mean":
            y = rewrite.op("Mul", [y, np.array(1 / len(shapes), np.float32)], shape)
        assert y is not None
        rewrite.finish(y)


def split_extremes(graph: ir.Graph) -> None:
    """Max and Min of several computed tensors of one shape: max(a, b) → a + Relu(b − a), min(a, b) → a − Relu(a − b).

    Images and lines only: boxes and the like are the host's.
    """
    for node in nodes_of(graph, "Max", "Min"):
        shape, (y, *others) = shape_of(node.outputs[0]), node.inputs
        if len(shape) not in (3, 4) or not others:
            continue
        if any(shape_of(value) != shape or constant(value) is not None for value in node.inputs):
            continue
        rewrite, largest = Rewrite(graph, [node]), node.op_type == "Max"
        for position, other in enumerate(others, 1):
            label = "" if position == len(others) else f"part_{position}"
            excess = rewrite.op("Sub", [other, y] if largest else [y, other], shape, label=f"difference_{position}")
            excess = rewrite.op("Relu", [excess], shape, label=f"excess_{position}")
            y = rewrite.op("Add" if largest else "Sub", [y, excess], shape, label=label)
        assert y is not None
        rewrite.finish(y)
