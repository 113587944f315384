"""Relu and Clip next to the layer whose results they bound: there they cost nothing, and only the bounded range needs codes."""

import onnx_ir as ir

from talos.compiler.prepare.edit import attribute, constant, excluded, nodes_of, shape_of, sole_reader

__all__ = ["hoist_clamps"]

_TRANSPARENT = (
    "DepthToSpace", "Expand", "Flatten", "Gather", "MaxPool", "Reshape", "Slice", "SpaceToDepth", "Squeeze", "Tile", "Transpose",
    "Unsqueeze",
)  # fmt: skip
"""What a clamp may be done before as well as after: data movement, and maxima."""


def hoist_clamps(graph: ir.Graph) -> None:
    """f(x) → clamp becomes clamp → f, in place, for every f that gives the same either way and has no other reader."""
    for clamp in nodes_of(graph, "Relu", "Clip"):
        if any(value is not None and constant(value) is None for value in clamp.inputs[1:]):
            continue
        while (mover := clamp.inputs[0].producer() if clamp.inputs[0] is not None else None) is not None:
            x = mover.inputs[0]
            movable = mover.op_type in _TRANSPARENT or (mover.op_type == "Pad" and attribute(mover, "mode", "constant") == "edge")
            alone = sole_reader(mover.outputs[0]) is clamp and len(mover.outputs) == 1
            if x is None or not movable or not alone or excluded(mover) or not shape_of(x):
                break
            _swap(graph, mover, clamp)


def _swap(graph: ir.Graph, mover: ir.Node, clamp: ir.Node) -> None:
    moved, clamped, x = mover.outputs[0], clamp.outputs[0], mover.inputs[0]
    assert x is not None
    clamped.replace_all_uses_with(moved, replace_graph_outputs=True)
    clamp.replace_input_with(0, x)
    mover.replace_input_with(0, clamped)
    moved.name, clamped.name = clamped.name, moved.name
    clamped.shape = x.shape
    graph.remove(clamp)
    graph.insert_before(mover, clamp)
