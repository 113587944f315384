"""A table that only clamps becomes the bounds of the layer in front."""

import numpy as np

from talos.compiler.graph.ir import Graph, Layer, Lookup, Pool, TableLayer
from talos.compiler.graph.rewire import absorb_output, only_reader

__all__ = ["fuse_clamp"]


def fuse_clamp(graph: Graph) -> bool:
    """Relu and Clip between two equal scales, in place: the convolution, pooling or addition in front clamps to fewer codes.

    The Lookup must be the only reader of the layer's output, and must leave all codes alone except those it moves to a bound.
    Returns whether anything changed.
    """
    changed = False
    for lookup in [layer for layer in graph.layers if isinstance(layer, Lookup)]:
        producer = only_reader(graph, lookup)
        bounds = _bounds(producer, lookup) if producer is not None else None
        if bounds is None or not isinstance(producer, (TableLayer, Pool)):
            continue
        producer.low, producer.high = bounds
        absorb_output(graph, producer, lookup)
        changed = True
    return changed


def _bounds(producer: Layer, lookup: Lookup) -> tuple[int, int] | None:
    """The clamp that `lookup` is on the codes `producer` can make; None if it is anything else."""
    source, output = producer.output, lookup.output
    if not isinstance(producer, (TableLayer, Pool)) or (isinstance(producer, TableLayer) and producer.table is not None):
        return None
    if source.scale != output.scale or source.zero_point != output.zero_point or source.unsigned != output.unsigned:
        return None
    codes = np.arange(producer.low, producer.high + 1)
    values = lookup.table[codes + 128].astype(np.int64)
    low, high = int(values.min()), int(values.max())
    return (low, high) if np.array_equal(values, np.clip(codes, low, high)) else None
