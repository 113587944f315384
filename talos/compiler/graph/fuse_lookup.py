"""A table moves into the convolution, addition or table in front."""

import numpy as np

from talos.compiler.graph.ir import Graph, Lookup, TableLayer
from talos.compiler.graph.rewire import absorb_output, only_reader

__all__ = ["fuse_lookup"]


def fuse_lookup(graph: Graph) -> bool:
    """Lookup behind a Conv, Binary or Lookup that nothing else reads is done there, in place. Returns whether anything changed.

    Two tables become their composition.
    """
    changed = False
    for lookup in [layer for layer in graph.layers if isinstance(layer, Lookup)]:
        producer = only_reader(graph, lookup)
        if isinstance(producer, Lookup):
            producer.table = _composed(producer.table, lookup.table)
        elif isinstance(producer, TableLayer):
            if producer.table is None:
                producer.table_scale, producer.table_zero_point = producer.output.scale, producer.output.zero_point
                producer.table = lookup.table
            else:
                producer.table = _composed(producer.table, lookup.table)
        else:
            continue
        absorb_output(graph, producer, lookup)
        changed = True
    return changed


def _composed(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    return np.asarray(second[first.astype(np.int64) + 128])
