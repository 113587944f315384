"""An addition moves into the convolution that makes one of its operands."""

from talos.compiler.ir import Add, Conv, Graph, Residual
from talos.compiler.rewire import only_reader

__all__ = ["fuse_residual"]


def fuse_residual(graph: Graph) -> bool:
    """Conv → Add with no other reader becomes one Conv with a residual, in place. Returns whether anything changed.

    If both operands are such convolutions, the later one takes the addition: the other result is ready by then. The fused layer takes
    the Add's place in the order and the Add's clamp, table and output.
    """
    changed = False
    for add in [layer for layer in graph.layers if isinstance(layer, Add)]:
        if add.inputs[0] is add.inputs[1]:
            continue
        candidates = []
        for position in (0, 1):
            conv = only_reader(graph, add, position)
            if isinstance(conv, Conv) and conv.residual is None and conv.table is None and not conv.copy:
                candidates.append((graph.layers.index(conv), position, conv))
        if not candidates:
            continue
        _, position, conv = max(candidates)[:3]
        own = conv.output
        conv.residual = Residual(
            tensor=add.inputs[1 - position],
            scale=own.scale,
            zero_point=own.zero_point,
            low=conv.low,
            high=conv.high,
            own_first=position == 0,
        )
        conv.low, conv.high = add.low, add.high
        conv.table, conv.table_scale, conv.table_zero_point = add.table, add.table_scale, add.table_zero_point
        conv.output = add.output
        conv.nodes = tuple(dict.fromkeys((*conv.nodes, *add.nodes)))
        graph.layers.remove(conv)
        graph.layers[graph.layers.index(add)] = conv
        changed = True
    return changed
