"""PRelu in terms of what quantizes well."""

import numpy as np
import onnx_ir as ir

from talos.compiler.prepare.edit import Rewrite, nodes_of, shape_of, weights

__all__ = ["expand_prelu"]


def expand_prelu(graph: ir.Graph) -> None:
    """PRelu with one slope → LeakyRelu; with a slope a per channel → x + (a − 1) · min(x, 0), the product a depthwise convolution.

    Both terms stand for the same codes of x, so nothing is lost where x is positive: there the second term is exactly 0.
    """
    for node in nodes_of(graph, "PRelu"):
        x, slope, shape = node.inputs[0], weights(node, 1), shape_of(node.inputs[0])
        if slope is None or not shape:
            continue
        rewrite = Rewrite(graph, [node])
        if (slope == slope.reshape(-1)[0]).all():
            rewrite.finish(rewrite.op("LeakyRelu", [x], shape, alpha=float(slope.reshape(-1)[0])))
            continue
        aligned = slope.reshape((1,) * (len(shape) - slope.ndim) + slope.shape)
        if len(shape) not in (3, 4) or aligned.size != shape[1] or aligned.shape[1] != shape[1]:
            continue
        weight = (slope.reshape(-1, *(1,) * (len(shape) - 1)) - 1).astype(np.float32)
        negative = rewrite.op("Clip", [x, None, np.array(0, np.float32)], shape, label="negative")
        term = rewrite.op("Conv", [negative, weight], shape, label="slope", group=shape[1], kernel_shape=[1] * (len(shape) - 2))
        rewrite.finish(rewrite.op("Add", [x, term], shape))
