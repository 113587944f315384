"""The placement report: where each node of the user's model runs, in which layer, and why."""

from collections.abc import Mapping

import onnx

from talos.compiler.graph.ir import Concat, Conv, Graph, Layer, View
from talos.compiler.graph.pair_parameters import difference_note
from talos.compiler.importing.partition import MOVEMENT
from talos.compiler.reading.macs import node_macs, value_types
from talos.program import Placement

__all__ = ["place_nodes"]


_REARRANGING = ("Concat", "DepthToSpace", "Expand", "Gather", "Pad", "Resize", "SpaceToDepth", "Split", "Tile")


_PAIR_OPS = ("Add", "Mul", "QLinearAdd", "QLinearMul", "Sub")


def place_nodes(model: onnx.ModelProto, graph: Graph, on_host: Mapping[str, tuple[str, str]]) -> tuple[Placement, ...]:
    """A row for each node of `model` (named, shapes inferred) that was compiled to `graph`.

    `on_host` has (reason, suggestion) for the nodes on the host. Nodes in neither went into weights, scales or neighbours.
    """
    layers: dict[str, Layer] = {}
    for layer in graph.layers:
        for name in layer.nodes:
            known = layers.get(name)
            if not (
                isinstance(known, Conv) and known.nodes[0] == name
            ):  # what gathers a convolution's parts is not the node itself
                layers[name] = layer
    types = value_types(model)
    rows = []
    for node in model.graph.node:
        name, shown, suggestion = node.name, "", ""
        if name in on_host:
            place, (reason, suggestion) = "host", on_host[name]
        elif name in layers:
            shown = layers[name].name
            place, reason = _place(layers[name])
            if node.op_type in _PAIR_OPS:
                reason = difference_note(layers[name])
        elif node.op_type in (*MOVEMENT, *_REARRANGING):
            place, reason = "placement", "changes no bytes, but where they are looked for"
        else:
            place, reason = "folded", "part of weights, scales or a neighbour"
        rows.append(Placement(name, node.op_type, place, shown, reason, suggestion, node_macs(node, types)))
    return tuple(rows)


def _place(layer: Layer) -> tuple[str, str]:
    if isinstance(layer, View):
        return "placement", "the same bytes under another shape"
    if isinstance(layer, Concat):
        return "placement", "its operands are written into slices of its result"
    if isinstance(layer, Conv):
        return "array", ""
    return "vector", ""
