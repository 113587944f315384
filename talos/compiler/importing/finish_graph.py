"""The end of an import: inputs and outputs of the accelerated part, and the parts on the host around it."""

from collections.abc import Iterable

import numpy as np
import onnx

from talos.compiler.graph.index import Index
from talos.compiler.graph.ir import Conv, Graph, OnnxValue, Pool, Tensor, operands
from talos.compiler.graph.remove_dead import remove_dead
from talos.compiler.importing.host import host_part
from talos.compiler.importing.importer import Importer
from talos.compiler.importing.io_spec import io_spec
from talos.compiler.importing.partition import Partition
from talos.compiler.importing.values import Activation, Pending, PendingFunction
from talos.compiler.reading.dataflow import node_kind
from talos.compiler.reading.macs import WORK
from talos.compiler.reading.refusal import Refusal
from talos.errors import TalosError
from talos.io import InputSpec, IoSpec

__all__ = ["NothingLeftError", "finish_graph"]

_SHOWN = 3  # reasons in the error that nothing is left


class NothingLeftError(TalosError):
    """The host would run all of the model."""


def finish_graph(
    model: onnx.ModelProto, importer: Importer, partition: Partition
) -> tuple[Graph, dict[str, tuple[str, str]]] | None:
    """The graph of what has been imported, and (reason, suggestion) for each node on the host.

    Values that cannot leave the accelerator as they are send the nodes that make them to the host, too. None if that has moved nodes to
    the front, so that the import must be done again. Raises NothingLeftError.
    """
    flow = partition.flow
    results = [output.name for output in model.graph.output]
    while True:
        heads, cuts = _frontier(importer, partition)
        early, late = partition.host_values(), _made(partition, [*partition.after, *heads]) | flow.constants
        needed = list(dict.fromkeys([*(name for name in results if name not in early and name not in late), *cuts]))
        try:
            outputs = [_output(importer, partition, name, cuts) for name in needed]
            break
        except Refusal as refusal:
            if partition.refuse(refusal):
                return None
    graph = Graph(model.graph.name or "network", [], [tensor for tensor, _ in outputs], importer.layers)
    graph.output_specs = [spec for _, spec in outputs]
    graph.results = results
    remove_dead(graph)
    _require_work(importer, partition, graph)
    _add_inputs(importer, graph)
    graph.feeds = [_input_spec(value) for value in model.graph.input if value.name in flow.feeds]
    graph.values = [
        OnnxValue(name, value.source, value.index, value.real)
        for name, value in importer.values.items()
        if isinstance(value, Activation) and isinstance(value.source, Tensor)
    ]
    _add_host_parts(model, importer, partition, graph, heads)
    on_host = {name: partition.reason(name) for name in (*partition.before, *partition.after)}
    in_layers = {name for layer in graph.layers for name in layer.nodes}
    dressing = ("gives the host what it reads, from codes", "")
    on_host |= {name: dressing for name in heads if name not in in_layers}
    return graph, on_host


def _frontier(importer: Importer, partition: Partition) -> tuple[list[str], list[str]]:
    """What the host needs of the accelerated part to run the nodes behind it: nodes to repeat, and values to hand over.

    Integer kernels of onnxruntime are made of DequantizeLinear, operator and QuantizeLinear, with mere movement in between. So that the
    host's are those of the whole model, its part starts at integer codes, and all float nodes behind them are repeated.
    """
    flow, early = partition.flow, partition.host_values()
    heads: dict[str, None] = {}
    cuts: dict[str, None] = {}
    rest = [value for name in flow.nodes if name in partition.after for value in flow.computed(name)]
    made = _made(partition, partition.after)
    while rest:
        name = rest.pop(0)
        if name in early or name in made or name in cuts:
            continue
        value, maker = importer.values.get(name), flow.producer[name]
        if isinstance(value, Activation) and (value.real or not isinstance(value.source, Tensor)):
            if maker not in heads:
                heads[maker] = None
                rest += flow.computed(maker)
        else:
            cuts[name] = None
    return list(heads), list(cuts)


def _made(partition: Partition, nodes: Iterable[str]) -> set[str]:
    return {value for name in nodes for value in partition.flow.nodes[name].output if value}


def _output(importer: Importer, partition: Partition, name: str, cuts: list[str]) -> tuple[Tensor, IoSpec]:
    """The ONNX value `name` as an output of the accelerator. Raises Refusal for a node that makes it, if it cannot be one."""
    value = importer.values.get(name)
    maker = partition.flow.nodes[partition.flow.producer[name]]

    def refusal(node: onnx.NodeProto, reason: str, suggestion: str) -> Refusal:
        return Refusal(importer.file, node.name, node_kind(node), reason, suggestion)

    if isinstance(value, Pending | PendingFunction):
        first = partition.flow.nodes.get(value.nodes[0], maker)
        reader = (
            "the host reads its float result" if name in cuts else "its float result is an output of the model, not quantized"
        )
        raise refusal(first, reader, "put QuantizeLinear and DequantizeLinear behind it")
    if not isinstance(value, Activation) or value.tensor is None:
        raise refusal(maker, "its result is no quantized tensor", "put QuantizeLinear and DequantizeLinear behind it")
    node = next(node for node in importer.graph if node.name == maker.name)
    for place in (importer.whole, importer.in_order):  # as the elements lie, if that is a transposition
        tensor, index = place(node, value)
        spec = io_spec(name, tensor, np.argsort(index.reshape(-1)).astype(np.int32), value.shape, real=value.real)
        if spec is not None:
            return tensor, spec
    raise AssertionError("elements in a plain order are a transposition")


def _require_work(importer: Importer, partition: Partition, graph: Graph) -> None:
    """Raise NothingLeftError if the host would run all that one has an accelerator for."""
    left = [layer for layer in graph.layers if not layer.placed]
    worked = any(isinstance(layer, Pool | Conv) for layer in left)
    hosted = [partition.flow.nodes[name].op_type for name in (*partition.before, *partition.after)]
    if graph.outputs and (not hosted or worked or (left and not any(op in WORK for op in hosted))):
        return
    lines = list(dict.fromkeys(refusal.line for refusal in partition.refusals))
    more = f" (and {len(lines) - _SHOWN} more nodes)" if len(lines) > _SHOWN else ""
    why = "; ".join(lines[:_SHOWN]) or "no output depends on a supported layer; check the model's outputs"
    raise NothingLeftError(f"{importer.file}: nothing is left for the accelerator: {why}{more}")


def _add_inputs(importer: Importer, graph: Graph) -> None:
    """Makes inputs of those feeds that a layer reads or that are outputs."""
    read = {id(tensor) for layer in graph.layers for tensor in operands(layer)} | {id(tensor) for tensor in graph.outputs}
    for feed in importer.feeds:
        if feed.tensor is None or id(feed.tensor) not in read:
            continue
        if feed.order is None:
            in_order: Index = np.arange(np.prod(feed.shape), dtype=np.int32).reshape(feed.shape)
            importer.locate(Activation(feed, in_order, real=False))
        assert feed.order is not None
        spec = io_spec(feed.name, feed.tensor, feed.order, feed.shape, real=feed.dtype == "float32")
        assert spec is not None, "layouts of inputs are transpositions"
        graph.inputs.append(feed.tensor)
        graph.input_specs.append(spec)


def _input_spec(value: onnx.ValueInfoProto) -> InputSpec:
    kind = value.type.tensor_type
    dtype = onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type).name
    return InputSpec(value.name, tuple(dim.dim_value for dim in kind.shape.dim), dtype)


def _add_host_parts(model: onnx.ModelProto, importer: Importer, partition: Partition, graph: Graph, heads: list[str]) -> None:
    """Makes ONNX models of the nodes in front and behind, as far as something depends on them."""
    flow, types = partition.flow, dict(partition.types)
    types |= {spec.name: (spec.onnx_dtype, spec.onnx_shape) for spec in graph.output_specs}
    behind = [name for name in flow.nodes if name in partition.after or name in heads]
    made = _made(partition, behind)
    late = [name for name in dict.fromkeys(graph.results) if name in made or name in flow.constants]
    read = {value for name in behind for value in flow.computed(name)}
    read |= {spec.name for spec in graph.input_specs} | set(graph.results)
    early = [value for name, node in flow.nodes.items() if name in partition.before for value in node.output if value in read]
    if early:
        nodes = [name for name in flow.nodes if name in partition.before]
        graph.host.append(host_part(model, importer.file, partition, "before", nodes, early, types))
    if late:
        graph.host.append(host_part(model, importer.file, partition, "after", behind, late, types))
