"""An operation of two tensors that are both functions of one becomes a table."""

import numpy as np
import numpy.typing as npt

from talos import numerics
from talos.compiler.graph.ir import Binary, Graph, Lookup, Tensor
from talos.compiler.graph.pair_parameters import pair_parameters

__all__ = ["fuse_same_source"]

Table = npt.NDArray[np.int8]


def fuse_same_source(graph: Graph) -> bool:
    """Binary of x and Lookup(x), of two Lookups of x, or of x and x becomes a Lookup of x, in place. Returns whether anything changed.

    So a SiLU or HardSwish whose parts are quantized one by one costs one table. Lookups in front that nothing else reads are gone.
    """
    changed = False
    for binary in [layer for layer in graph.layers if isinstance(layer, Binary)]:
        chains = [_chain(graph, tensor) for tensor in binary.inputs]
        sources = [chain[0].inputs[0] if chain else tensor for chain, tensor in zip(chains, binary.inputs, strict=True)]
        if sources[0] is not sources[1] or sources[0].shape != binary.output.shape:
            continue
        first, second = (_composed(chain) for chain in chains)
        table = numerics.combine(first, second, pair_parameters(binary), binary.low, binary.high)
        if binary.table is not None:
            table = numerics.apply_table(binary.table, table)
        lookup = Lookup(binary.name, binary.nodes, [sources[0]], binary.output, table)
        graph.layers[graph.layers.index(binary)] = lookup
        for layer in sorted({*chains[0], *chains[1]}, key=graph.layers.index, reverse=True):
            if not graph.readers(layer.output) and not any(output is layer.output for output in graph.outputs):
                graph.layers.remove(layer)
                lookup.nodes = tuple(dict.fromkeys((*layer.nodes, *lookup.nodes)))
        changed = True
    return changed


def _chain(graph: Graph, tensor: Tensor) -> list[Lookup]:
    """The Lookups, one behind the other, that make `tensor` of another one."""
    chain: list[Lookup] = []
    while isinstance(layer := graph.producer(tensor), Lookup):
        chain.insert(0, layer)
        tensor = layer.inputs[0]
    return chain


def _composed(chain: list[Lookup]) -> Table:
    table = np.arange(-128, 128).astype(np.int8)
    for layer in chain:
        table = numerics.apply_table(layer.table, table)
    return table
