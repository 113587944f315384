"""Every operand of a Concat gets a place of its own, a slice of the result, or else a copy that has one."""

from talos.compiler.graph.ir import Concat, Graph, Layer, Tensor, View
from talos.compiler.graph.rearrange import copy_of

__all__ = ["separate_slices"]


def separate_slices(graph: Graph) -> bool:
    """Puts a copy in front of Concat, in place, where the operand cannot lie in the result.

    That is an operand which is an input or output of the graph, is another tensor's bytes or has its bytes under another shape (View), or
    has a place in a Concat already. Returns whether anything changed.
    """
    viewed = {id(tensor) for layer in graph.layers if isinstance(layer, View) for tensor in (layer.inputs[0], layer.output)}
    taken = viewed | {id(tensor) for tensor in (*graph.inputs, *graph.outputs)}
    layers: list[Layer] = []
    for layer in graph.layers:
        if isinstance(layer, Concat):
            for position, tensor in enumerate(layer.inputs):
                if id(tensor) in taken:
                    layer.inputs[position] = tensor = _copy(layer, position, layers)
                taken.add(id(tensor))
        layers.append(layer)
    changed = len(layers) != len(graph.layers)
    graph.layers[:] = layers
    return changed


def _copy(layer: Concat, position: int, layers: list[Layer]) -> Tensor:
    tensor = layer.inputs[position]
    name = f"{layer.output.name}:{position}"
    output = Tensor(name, tensor.shape, tensor.scale, tensor.zero_point, tensor.unsigned)
    layers.append(copy_of(layer.name, layer.nodes, tensor, output))
    return output
