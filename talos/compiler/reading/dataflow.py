"""Which node of an ONNX graph makes and reads which value, subgraphs of If, Loop and Scan included."""

from collections.abc import Iterable

import onnx

from talos.compiler.reading.load import model_inputs

__all__ = ["Dataflow", "node_kind"]


def node_kind(node: onnx.NodeProto) -> str:
    """The operator as messages name it: with its domain unless that is ONNX's own."""
    return f"{node.domain}.{node.op_type}" if node.domain not in ("", "ai.onnx") else node.op_type


class Dataflow:
    """The graph of `model`, whose nodes all have names of their own.

    Attributes: `nodes` by name, in order; `feeds`, the values that the user feeds; `producer` of a value and `readers` of a value (names of
    nodes); `reads` of a node (names of values, those that its subgraphs take from outside included); `constants`, the values that depend
    on no feed. Nodes that make only those belong to no side of a cut: whoever reads them makes them.
    """

    def __init__(self, model: onnx.ModelProto) -> None:
        graph = model.graph
        self.nodes = {node.name: node for node in graph.node}
        self.feeds = [value.name for value in model_inputs(model)]
        self.producer = {value: node.name for node in graph.node for value in node.output if value}
        self.reads = {node.name: list(dict.fromkeys(_reads(node))) for node in graph.node}
        self.readers: dict[str, list[str]] = {}
        self.constants = {tensor.name for tensor in graph.initializer}
        for name, values in self.reads.items():
            for value in values:
                self.readers.setdefault(value, []).append(name)
            if self.constants.issuperset(values):
                self.constants.update(self.nodes[name].output)

    def computed(self, node: str) -> list[str]:
        """The values that `node` reads and that are no constants."""
        return [value for value in self.reads[node] if value not in self.constants]

    def constant(self, node: str) -> bool:
        """Whether `node` makes a constant."""
        return self.constants.issuperset(self.reads[node])

    def ancestors(self, node: str) -> set[str]:
        """`node` and all nodes that it depends on, but for those that make constants."""
        found, rest = {node}, [node]
        while rest:
            for value in self.computed(rest.pop()):
                maker = self.producer.get(value)
                if maker is not None and maker not in found:
                    found.add(maker)
                    rest.append(maker)
        return found

    def descendants(self, node: str) -> set[str]:
        """`node` and all nodes that depend on it."""
        found, rest = {node}, [node]
        while rest:
            for value in self.nodes[rest.pop()].output:
                new = [reader for reader in self.readers.get(value, ()) if reader not in found]
                found.update(new)
                rest.extend(new)
        return found

    def with_constants(self, nodes: Iterable[str]) -> list[str]:
        """`nodes` and those that make the constants for them, in the graph's order."""
        found = set(nodes)
        rest = list(found)
        while rest:
            for value in self.reads[rest.pop()]:
                maker = self.producer.get(value)
                if maker is not None and value in self.constants and maker not in found:
                    found.add(maker)
                    rest.append(maker)
        return [name for name in self.nodes if name in found]


def _reads(node: onnx.NodeProto) -> list[str]:
    values = [value for value in node.input if value]
    for attribute in node.attribute:
        graphs = [attribute.g] if attribute.type == onnx.AttributeProto.GRAPH else list(attribute.graphs)
        for graph in graphs:
            own = {value.name for value in graph.input} | {tensor.name for tensor in graph.initializer}
            for inner in graph.node:
                values += [value for value in _reads(inner) if value not in own]
                own.update(inner.output)
            values += [output.name for output in graph.output if output.name not in own]
    return values
