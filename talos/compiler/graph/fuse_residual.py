"""An operation of two tensors moves into the convolution that makes one of its operands."""

from talos.compiler.graph.ir import Binary, Conv, Graph, Residual
from talos.compiler.graph.rewire import only_reader

__all__ = ["fuse_residual"]


def fuse_residual(graph: Graph) -> bool:
    """Conv → Binary with no other reader becomes one Conv with a residual, in place. Returns whether anything changed.

    The convolution makes all of the result's pixels, not an operand that is broadcast. If both operands are such convolutions, the later
    one takes the operation: the other result is ready by then. The fused layer takes the Binary's place in the order and the Binary's
    clamp, table and output.
    """
    changed = False
    for binary in [layer for layer in graph.layers if isinstance(layer, Binary)]:
        if binary.inputs[0] is binary.inputs[1]:
            continue
        candidates = []
        for position in (0, 1):
            conv = only_reader(graph, binary, position)
            if isinstance(conv, Conv) and _takes(conv, binary):
                candidates.append((graph.layers.index(conv), position, conv))
        if not candidates:
            continue
        _, position, conv = max(candidates)[:3]
        own = conv.output
        conv.residual = Residual(
            tensor=binary.inputs[1 - position],
            scale=own.scale,
            zero_point=own.zero_point,
            low=conv.low,
            high=conv.high,
            own_first=position == 0,
            function=binary.function,
            kernel=binary.kernel,
        )
        conv.low, conv.high = binary.low, binary.high
        conv.table, conv.table_scale, conv.table_zero_point = binary.table, binary.table_scale, binary.table_zero_point
        conv.output = binary.output
        conv.nodes = tuple(dict.fromkeys((*conv.nodes, *binary.nodes)))
        graph.layers.remove(conv)
        graph.layers[graph.layers.index(binary)] = conv
        changed = True
    return changed


def _takes(conv: Conv, binary: Binary) -> bool:
    return conv.residual is None and conv.table is None and conv.output.shape == binary.output.shape
