"""A network for several images at once: its layers again for each image, with the same weights."""

from dataclasses import replace

from talos.compiler.graph.ir import Conv, Graph, Layer, Tensor

__all__ = ["repeat_graph"]


def repeat_graph(graph: Graph, batch: int) -> Graph:
    """`graph` for `batch` images, one behind the other, so that the end of one overlaps the beginning of the next.

    Inputs and outputs are those of the first image, then those of the second, and so on; the specs stay those of one image. Constants
    are shared. `graph` is left alone.
    """
    repeated = replace(graph, inputs=[], outputs=[], layers=[], batch=batch)
    for _ in range(batch):
        tensors: dict[Tensor, Tensor] = {}

        def twin(tensor: Tensor, tensors: dict[Tensor, Tensor] = tensors) -> Tensor:
            if tensor.data is not None:
                return tensor
            if tensor not in tensors:
                tensors[tensor] = replace(tensor)
            return tensors[tensor]

        repeated.inputs += [twin(tensor) for tensor in graph.inputs]
        repeated.layers += [
            _twin_layer(layer, [twin(tensor) for tensor in layer.inputs], twin(layer.output)) for layer in graph.layers
        ]
        for layer in repeated.layers[-len(graph.layers) :]:
            if isinstance(layer, Conv) and layer.residual is not None:
                layer.residual = replace(layer.residual, tensor=twin(layer.residual.tensor))
        repeated.outputs += [twin(tensor) for tensor in graph.outputs]
    return repeated


def _twin_layer(layer: Layer, inputs: list[Tensor], output: Tensor) -> Layer:
    if isinstance(layer, Conv):
        return replace(layer, inputs=inputs, output=output, original=layer)
    return replace(layer, inputs=inputs, output=output)
