"""The end of a network that stays on the host: Softmax, ArgMax and what follows them, as an ONNX model of its own."""

import numpy as np
import onnx
from onnx import helper

from talos.compiler.ir import HostNode
from talos.io import IoSpec

__all__ = ["HOST_OPS", "host_inputs", "host_nodes", "host_part"]

HOST_OPS = ("ArgMax", "ArgMin", "LogSoftmax", "Softmax")
_FLOAT_OPS = ("Elu", "HardSigmoid", "HardSwish", "LeakyRelu", "Sigmoid", "Tanh")  # on the host only if left float at the end
_GLUE = (
    "Cast", "DequantizeLinear", "Flatten", "Identity", "QuantizeLinear", "Reshape", "Squeeze", "Transpose", "Unsqueeze",
)  # fmt: skip


def host_nodes(model: onnx.ModelProto) -> list[onnx.NodeProto]:
    """The nodes that run on the host, in order: `HOST_OPS` whose results no accelerated node needs, and everything behind them."""
    readers: dict[str, list[onnx.NodeProto]] = {}
    for node in model.graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    tail: set[str] = set()  # nodes whose results only reach graph outputs, through operators the host may have
    for node in reversed(model.graph.node):
        behind = [reader for name in node.output for reader in readers.get(name, [])]
        if node.op_type in (*HOST_OPS, *_FLOAT_OPS, *_GLUE) and all(reader.name in tail for reader in behind):
            tail.add(node.name)
    chosen: list[onnx.NodeProto] = []
    made: set[str] = set()
    for node in model.graph.node:
        quantized = any(reader.op_type == "QuantizeLinear" for name in node.output for reader in readers.get(name, []))
        seed = node.op_type in HOST_OPS or (node.op_type in _FLOAT_OPS and not quantized)
        if node.name in tail and (seed or made.intersection(node.input)):
            chosen.append(node)
            made.update(node.output)
    producers = {name: node for node in model.graph.node for name in node.output}
    constants = {tensor.name for tensor in model.graph.initializer}
    # onnxruntime fuses DequantizeLinear, Softmax, QuantizeLinear into one integer kernel: the host part starts with the codes.
    heads = [
        producers[name]
        for node in chosen
        for name in node.input
        if name in producers
        and producers[name].op_type == "DequantizeLinear"
        and producers[name] not in chosen
        and producers[name].input[0] not in constants
    ]
    wanted = {node.name for node in (*heads, *chosen)}
    return [node for node in model.graph.node if node.name in wanted]


def host_inputs(model: onnx.ModelProto, nodes: list[onnx.NodeProto]) -> list[str]:
    """The computed ONNX values that `nodes` read and do not make themselves."""
    constants = {tensor.name for tensor in model.graph.initializer}
    made = {name for node in nodes for name in node.output}
    names = (name for node in nodes for name in node.input)
    return list(dict.fromkeys(name for name in names if name and name not in made and name not in constants))


def host_part(model: onnx.ModelProto, nodes: list[onnx.NodeProto], specs: list[IoSpec]) -> HostNode:
    """`nodes` of `model` as a model of their own. `specs` describe the ONNX values that the accelerator hands over."""
    inputs = host_inputs(model, nodes)
    by_name = {spec.name: spec for spec in specs}
    made = {name for node in nodes for name in node.output}
    outputs = [output for output in model.graph.output if output.name in made]
    used = {name for node in nodes for name in node.input}
    feeds = [
        helper.make_tensor_value_info(
            name, helper.np_dtype_to_tensor_dtype(np.dtype(by_name[name].onnx_dtype)), by_name[name].onnx_shape
        )
        for name in inputs
    ]
    graph = helper.make_graph(
        nodes, "host", feeds, outputs, initializer=[tensor for tensor in model.graph.initializer if tensor.name in used]
    )
    part = helper.make_model(graph, opset_imports=model.opset_import)
    part.ir_version = min(part.ir_version, 10)
    onnx.checker.check_model(part)
    kinds = [node.op_type for node in nodes if node.op_type in (*HOST_OPS, *_FLOAT_OPS)]
    return HostNode(
        nodes=tuple(node.name for node in nodes),
        op_types=tuple(node.op_type for node in nodes),
        model=part.SerializeToString(deterministic=True),
        inputs=tuple(inputs),
        outputs=tuple(output.name for output in outputs),
        reason=f"{', '.join(kinds)} at the end of the network works on a few values in float: the host runs it",
    )
