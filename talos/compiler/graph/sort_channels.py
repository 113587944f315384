"""A convolution makes its channels in the order in which the rearrangement behind it reads them."""

from dataclasses import replace

import numpy as np

from talos.compiler.graph.index import Index
from talos.compiler.graph.ir import Conv, Graph, Rearrange
from talos.compiler.graph.rearrange import gather_cost, rearrangement, wanted_index
from talos.compiler.graph.rewire import absorb_output, only_reader

__all__ = ["sort_channels"]


def sort_channels(graph: Graph) -> bool:
    """Reorders, in place, the weights of dense convolutions read by a `Rearrange` alone where that is cheaper then; it goes if nothing moves.

    So the two forms of DepthToSpace cost the same, and a channel shuffle nothing. Returns whether anything changed.
    """
    changed = False
    for layer in [layer for layer in graph.layers if isinstance(layer, Rearrange) and len(layer.inputs) == 1]:
        conv = only_reader(graph, layer)
        if isinstance(conv, Conv) and conv.groups == 1 and conv.residual is None:
            changed |= _sort(graph, conv, layer)
    return changed


def _sort(graph: Graph, conv: Conv, layer: Rearrange) -> bool:
    tensor, wanted = conv.output, wanted_index(layer)
    order = _first_read(wanted, tensor.shape[2])
    if np.array_equal(order, np.arange(len(order))):
        return False
    place = np.argsort(order).astype(np.int32)
    moved = _reordered(wanted, place)
    cost = gather_cost(moved, tensor.shape)
    if cost >= gather_cost(wanted, tensor.shape):
        return False
    conv.weight, conv.bias, conv.multiplier = conv.weight[order], conv.bias[order], conv.multiplier[order]
    graph.values[:] = [
        replace(value, index=_reordered(value.index, place)) if value.tensor is tensor else value for value in graph.values
    ]
    if cost == 0 and layer.table is None and (layer.low, layer.high) == (-128, 127) and tensor.shape == layer.output.shape:
        absorb_output(graph, conv, layer)
    else:
        layer.moves = rearrangement(layer.name, layer.nodes, layer.inputs, layer.output, moved).moves
    return True


def _first_read(wanted: Index, channels: int) -> Index:
    """The channels of the tensor read, sorted by where they are read first; those that are not read come last."""
    read = wanted[wanted >= 0] % channels
    first = np.full(channels, read.size)
    first[read[::-1]] = np.arange(read.size)[::-1]  # of several writes to one place the last one stays
    return np.argsort(first, kind="stable").astype(np.int32)


def _reordered(index: Index, place: Index) -> Index:
    """The same bytes after channel c has gone to `place[c]`."""
    moved = index - index % len(place) + place[index % len(place)]
    return np.where(index >= 0, moved, index).astype(np.int32)
