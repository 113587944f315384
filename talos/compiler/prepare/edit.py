"""What the rewrites of float models share: reading an onnx-ir graph, and putting new nodes in the place of old ones.

Every node remembers in `meta` which nodes of the user's model it stands for, and whether the user excluded it from quantization: an
excluded node is never rewritten.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

__all__ = [
    "Rewrite", "attribute", "constant", "excluded", "mark", "nodes_of", "origins", "rank", "shape_of", "sole_reader", "weights",
]  # fmt: skip

_ORIGINS, _EXCLUDED = "talos.origins", "talos.excluded"

Array = npt.NDArray[Any]


def mark(graph: ir.Graph, exclude: frozenset[str]) -> None:
    """Every node stands for itself so far; those named in `exclude` stay as they are."""
    for node in graph:
        node.meta[_ORIGINS] = (str(node.name),)
        node.meta[_EXCLUDED] = node.name in exclude


def origins(node: ir.Node) -> tuple[str, ...]:
    """The names of the user's nodes that `node` stands for."""
    names: tuple[str, ...] = node.meta.get(_ORIGINS, ())
    return names


def excluded(node: ir.Node) -> bool:
    """Whether the user wants `node` to stay float."""
    return bool(node.meta.get(_EXCLUDED, False))


def nodes_of(graph: ir.Graph, *op_types: str) -> list[ir.Node]:
    """The standard operators of these types that may be rewritten, in order."""
    return [node for node in graph if node.op_type in op_types and node.domain in ("", "ai.onnx") and not excluded(node)]


def attribute(node: ir.Node, name: str, default: Any) -> Any:
    """The value of an attribute, as Python numbers, strings and lists."""
    found = node.attributes.get(name)
    if found is None:
        return default
    return list(found.value) if isinstance(found.value, Sequence) and not isinstance(found.value, str) else found.value


def constant(value: ir.Value | None) -> Array | None:
    """The array of a constant; None if `value` is computed or left out."""
    if value is None or value.const_value is None or value.is_graph_input():
        return None
    return value.const_value.numpy()


def weights(node: ir.Node, position: int) -> npt.NDArray[np.float32] | None:
    """Input `position` if it is a float32 constant."""
    array = constant(node.inputs[position]) if position < len(node.inputs) else None
    return array if array is not None and array.dtype == np.float32 else None


def shape_of(value: ir.Value | None) -> tuple[int, ...]:
    """The static shape of a float32 activation or constant; () if it is anything else."""
    if value is None or value.shape is None or value.dtype != ir.DataType.FLOAT:
        return ()
    sizes = tuple(size for size in value.shape if isinstance(size, int))
    return sizes if len(sizes) == len(value.shape) else ()


def rank(value: ir.Value | None) -> int:
    """The number of dimensions of a float32 value of static shape; 0 for anything else."""
    return len(shape_of(value))


def sole_reader(value: ir.Value) -> ir.Node | None:
    """The only node that reads `value` (once); None if others do or it is a result of the graph."""
    uses = list(value.uses())
    return uses[0].node if len(uses) == 1 and not value.is_graph_output() else None


class Rewrite:
    """New nodes, collected by `op` and put in the place of the nodes `old` by `finish`.

    `old` are in order; all but the last have results that only the old nodes read. The new nodes bear the name `name` (the first old
    node's if None), with a label where there are several.
    """

    def __init__(self, graph: ir.Graph, old: Sequence[ir.Node], name: str | None = None) -> None:
        self._graph, self._old = graph, list(old)
        self._name = name or str(old[0].name)
        self._nodes: list[ir.Node] = []

    def constant(self, array: Array, label: str) -> ir.Value:
        """A new constant."""
        name, count = f"{self._name}/{label}", 0
        while name in self._graph.initializers:
            count += 1
            name = f"{self._name}/{label}_{count}"
        value = ir.val(name, const_value=ir.tensor(np.array(array), name=name))
        self._graph.register_initializer(value)
        return value

    def op(
        self,
        op_type: str,
        inputs: Sequence[ir.Value | Array | None],
        shape: Sequence[int],
        *,
        label: str = "",
        **attributes: Any,
    ) -> ir.Value:
        """The result, of `shape` and float32, of a new node. Arrays among `inputs` become constants. The main node has no label."""
        name = f"{self._name}/{label}" if label else self._name
        values = [
            item if item is None or isinstance(item, ir.Value) else self.constant(item, f"{label or op_type.lower()}.{position}")
            for position, item in enumerate(inputs)
        ]
        output = ir.val(f"{name}/result", dtype=ir.DataType.FLOAT, shape=tuple(int(size) for size in shape))
        self._add(ir.node(op_type, values, attributes or None, outputs=[output], name=name))
        return output

    def _add(self, node: ir.Node) -> None:
        node.meta[_ORIGINS] = tuple(dict.fromkeys(part for old in self._old for part in origins(old)))
        node.meta[_EXCLUDED] = False
        self._nodes.append(node)

    def finish(self, value: ir.Value) -> None:
        """Everything that read the result of the last old node reads `value`, a result of the new nodes, instead."""
        last = self._old[-1]
        ir.convenience.replace_nodes_and_values(self._graph, last, self._old, self._nodes, [last.outputs[0]], [value])

    def call(self, domain: str, function: str, variable: ir.Value, results: Sequence[ir.Value]) -> None:
        """One call of a model-local function of `variable` gives all `results` of the old nodes."""
        outputs = [ir.val(str(value.name), dtype=ir.DataType.FLOAT, shape=shape_of(value)) for value in results]
        self._add(ir.node(function, [variable], domain=domain, outputs=outputs, name=self._name))
        # Behind the first of the old nodes: some results may be read in between.
        ir.convenience.replace_nodes_and_values(self._graph, self._old[0], self._old, self._nodes, results, outputs)
