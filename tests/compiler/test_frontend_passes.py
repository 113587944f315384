"""Each pass over the layer graph keeps all values that are left, on a network in which each of them has work."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from talos.compiler.frontend import PASSES
from talos.compiler.graph.evaluate import run_graph
from talos.compiler.graph.fuse_clamp import fuse_clamp
from talos.compiler.graph.fuse_lookup import fuse_lookup
from talos.compiler.graph.fuse_residual import fuse_residual
from talos.compiler.graph.fuse_same_source import fuse_same_source
from talos.compiler.graph.ir import Graph, operands
from talos.compiler.graph.remove_dead import remove_dead
from talos.compiler.importing.import_graph import import_graph
from talos.compiler.reading.load import fix_batch
from tests.compiler.qdq_models import QdqModel

X = 0.03


def _graph() -> Graph:
    """Two branches, a clamp, tables behind a sum and behind a table, and two functions of one tensor, also of the input."""
    model = QdqModel(31)
    x = model.qdq(model.input("x", [1, 4, 6, 6]), X, 7)
    left = model.qdq(model.conv(x, (4, 4, 3, 3), X, pads=[1, 1, 1, 1]), 0.3, 9)
    left = model.qdq(model.node("Relu", [left]), 0.3, 9)
    total = model.qdq(model.node("Add", [x, left]), 0.31, -7)
    table = model.qdq(model.node("Tanh", [total]), 1 / 128, 0)
    gate = model.qdq(model.node("Sigmoid", [table]), 1 / 256, -128)
    table = model.qdq(model.node("Mul", [table, gate]), 1 / 191, -20)
    pooled = model.qdq(model.node("MaxPool", [table], kernel_shape=[2, 2]), 1 / 191, -20)
    model.output(pooled)
    model.output(model.qdq(model.node("Mul", [x, model.qdq(model.node("Sigmoid", [x]), 1 / 256, -128)]), 0.02, -110))
    return import_graph(fix_batch(model.model(), "passes.onnx"), "passes.onnx").graph


def _run(graph: Graph) -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    return run_graph(graph, {"x": random.integers(-128, 128, (6, 6, 4)).astype(np.int8)})


def _ops(graph: Graph) -> list[str]:
    return [layer.op for layer in graph.layers]


def test_every_pass_keeps_the_values() -> None:
    graph = _graph()
    before = _run(graph)
    for graph_pass in PASSES:
        graph_pass(graph)
        after = _run(graph)
        assert graph.outputs[0].name in after
        for name, array in after.items():
            np.testing.assert_array_equal(array, before[name], err_msg=f"{name} after {graph_pass}")
    assert _ops(graph) == ["conv", "pool", "lookup"]
    made = {id(tensor) for tensor in graph.inputs}
    for layer in graph.layers:  # still in an order in which it can run
        assert {id(tensor) for tensor in operands(layer)} <= made
        made.add(id(layer.output))


def test_what_each_pass_does() -> None:
    steps: list[tuple[Callable[[Graph], object], list[str]]] = [
        (remove_dead, ["conv", "lookup", "add", "lookup", "lookup", "pool", "lookup", "multiply"]),
        (fuse_same_source, ["conv", "lookup", "add", "lookup", "lookup", "pool", "lookup"]),
        (fuse_clamp, ["conv", "add", "lookup", "lookup", "pool", "lookup"]),
        (fuse_residual, ["conv", "lookup", "lookup", "pool", "lookup"]),
        (fuse_lookup, ["conv", "pool", "lookup"]),
    ]
    graph = _graph()
    graph.layers.insert(0, replace(graph.layers[0], output=replace(graph.layers[0].output, name="dead")))
    for graph_pass, ops in steps:
        graph_pass(graph)
        assert _ops(graph) == ops, graph_pass
    assert not any(graph_pass(graph) for graph_pass in (fuse_same_source, fuse_clamp, fuse_residual, fuse_lookup))


def test_nodes_keep_their_layer() -> None:
    """All but the gate: its table is part of the product's, and nothing else reads it."""
    graph = _graph()
    for graph_pass in PASSES:
        graph_pass(graph)
    names = [node.split("_")[0] for node in graph.layers[0].nodes]
    assert names == ["conv", "relu", "add", "tanh", "mul"]
