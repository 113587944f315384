"""Removes layers whose result nobody reads."""

from talos.compiler.graph.ir import Graph, operands

__all__ = ["remove_dead"]


def remove_dead(graph: Graph) -> None:
    """Drops, in place, every layer from which no path leads to an output. Inputs stay: the host feeds them."""
    needed = {id(tensor) for tensor in graph.outputs}
    kept = []
    for layer in reversed(graph.layers):
        if id(layer.output) in needed:
            needed.update(id(tensor) for tensor in operands(layer))
            kept.append(layer)
    graph.layers[:] = reversed(kept)
