"""The network as its compiled parts see it: inputs, layers, host parts and outputs, and which of them reads which."""

from dataclasses import dataclass

from talos.compiler.graph.ir import Conv, Graph, Layer, Tensor, operands

__all__ = ["NetworkNode", "network_nodes"]


@dataclass(frozen=True)
class NetworkNode:
    """A step of the network. `inputs` are the positions, in the list of all nodes, of those whose results it reads; all lie in front of it.

    placement: `array`, `vector`, `placement` (only a matter of where bytes lie), `host`, or `input` and `output` of the network. `shape`
    is (height, width, channels) of what it makes, or the ONNX shape of an input; () where it is not known. `nodes` are its ONNX nodes.
    """

    name: str
    op: str
    placement: str
    shape: tuple[int, ...]
    macs: int
    nodes: tuple[str, ...]
    inputs: tuple[int, ...]


def network_nodes(graph: Graph) -> tuple[NetworkNode, ...]:
    """The nodes of the fused `graph` of one image, in an order in which they can run."""
    nodes: list[NetworkNode] = []
    values: dict[str, int] = {}  # ONNX values at the border of the accelerator → the node that makes them
    makers: dict[Tensor, int] = {}

    def add(
        name: str, op: str, placement: str, shape: tuple[int, ...], inputs: list[int], macs: int = 0, origin: tuple[str, ...] = ()
    ) -> int:
        nodes.append(NetworkNode(name, op, placement, shape, macs, origin, tuple(dict.fromkeys(inputs))))
        return len(nodes) - 1

    def add_host(stage: str) -> None:
        for part in graph.host:
            if part.stage == stage:
                sources = [values[value] for value in part.inputs if value in values]
                values.update(dict.fromkeys(part.outputs, add(part.name, part.op, "host", (), sources, 0, part.nodes)))

    for feed in graph.feeds:
        values[feed.name] = add(feed.name, "input", "input", feed.shape, [])
    add_host("before")
    for tensor, input_spec in zip(graph.inputs, graph.input_specs, strict=True):
        if input_spec.name in values:
            makers[tensor] = values[input_spec.name]
    for layer in graph.layers:
        sources = [makers[tensor] for tensor in operands(layer) if tensor in makers]  # constants have no maker
        makers[layer.output] = add(layer.name, layer.op, _placement(layer), layer.output.shape, sources, layer.macs, layer.nodes)
    for tensor, output_spec in zip(graph.outputs, graph.output_specs, strict=True):
        if tensor in makers:
            values[output_spec.name] = makers[tensor]
    add_host("after")
    for result in graph.results:
        add(result, "output", "output", (), [values[result]] if result in values else [])
    return tuple(nodes)


def _placement(layer: Layer) -> str:
    if layer.placed:
        return "placement"
    return "array" if isinstance(layer, Conv) else "vector"
