"""Small moves on the layer graph that the fusing passes share."""

from talos.compiler.graph.ir import Graph, Layer

__all__ = ["absorb_output", "only_reader"]


def only_reader(graph: Graph, layer: Layer, operand: int = 0) -> Layer | None:
    """The layer that makes input `operand` of `layer`, if nothing else reads that tensor and it is no output; else None."""
    tensor = layer.inputs[operand]
    if any(output is tensor for output in graph.outputs) or len(graph.readers(tensor)) != 1:
        return None
    return graph.producer(tensor)


def absorb_output(graph: Graph, producer: Layer, follower: Layer) -> None:
    """`producer` now writes what `follower` wrote, and `follower` is gone."""
    producer.output = follower.output
    producer.nodes = tuple(dict.fromkeys((*producer.nodes, *follower.nodes)))
    graph.layers.remove(follower)
