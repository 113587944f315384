"""Means and maxima over the image as pooling, which is what quantizers and the accelerator know."""

import numpy as np
import onnx_ir as ir

from talos.compiler.prepare.edit import Rewrite, attribute, constant, nodes_of, shape_of

__all__ = ["reductions_to_pooling"]

_POOLS = {"ReduceMean": "AveragePool", "ReduceMax": "MaxPool", "GlobalMaxPool": "MaxPool"}


def reductions_to_pooling(graph: ir.Graph) -> None:
    """ReduceMean and ReduceMax over all but one of the axes of an image, or over one of height and width, → pooling.

    GlobalMaxPool → MaxPool with the image as its window: only that keeps the scale of its operand when it is quantized.
    """
    for node in nodes_of(graph, *_POOLS):
        shape = shape_of(node.inputs[0])
        axes = _axes(node, len(shape))
        if len(shape) not in (3, 4) or not axes or 0 in axes:
            continue
        spatial = tuple(range(2, len(shape)))
        others = [axis for axis in range(1, len(shape)) if axis not in axes]
        if len(others) != 1 and not set(axes) <= set(spatial):
            continue
        x, rewrite = node.inputs[0], Rewrite(graph, [node])
        order = list(range(len(shape)))
        if 1 in axes:  # the axis that stays takes the channels' place
            order = [0, others[0], *axes]
            shape, axes = tuple(shape[axis] for axis in order), spatial
            x = rewrite.op("Transpose", [x], shape, label="channels_first", perm=order)
        pooled = tuple(1 if axis in axes else size for axis, size in enumerate(shape))
        if axes == spatial and node.op_type == "ReduceMean":
            y = rewrite.op("GlobalAveragePool", [x], pooled)
        else:
            kernel = [shape[axis] if axis in axes else 1 for axis in spatial]
            y = rewrite.op(_POOLS[node.op_type], [x], pooled, kernel_shape=kernel)
        result = shape_of(node.outputs[0])
        if len(result) < len(shape):
            y = rewrite.op("Reshape", [y, np.array(result)], result, label="squeezed")
        elif order != sorted(order):
            y = rewrite.op("Transpose", [y], result, label="restored", perm=[order.index(axis) for axis in range(len(order))])
        rewrite.finish(y)


def _axes(node: ir.Node, rank: int) -> tuple[int, ...]:
    if node.op_type == "GlobalMaxPool":
        return tuple(range(2, rank))
    axes = attribute(node, "axes", None)
    if len(node.inputs) > 1:
        array = constant(node.inputs[1])
        axes = None if array is None else array.reshape(-1).tolist()
    return () if axes is None or not rank else tuple(sorted(int(axis) % rank for axis in axes))
