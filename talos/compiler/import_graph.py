"""A quantized ONNX graph, node by node, into layers."""

from collections.abc import Callable

import numpy as np
import onnx
import onnx_ir

from talos.compiler import import_elementwise, import_join, import_linear, import_pool, import_quantize, import_shape
from talos.compiler.host import host_inputs, host_nodes, host_part
from talos.compiler.importer import Importer
from talos.compiler.ir import Graph
from talos.compiler.load import model_inputs
from talos.compiler.values import Activation, Feed
from talos.errors import TalosError

__all__ = ["SUPPORTED_OPS", "import_graph"]

Handler = Callable[[Importer, onnx_ir.Node], None]

_HANDLERS: dict[str, Handler] = {
    **import_elementwise.HANDLERS,
    **import_join.HANDLERS,
    **import_linear.HANDLERS,
    **import_pool.HANDLERS,
    **import_quantize.HANDLERS,
    **import_shape.HANDLERS,
}
SUPPORTED_OPS = tuple(sorted(_HANDLERS))

_SUGGESTIONS = {
    "BatchNormalization": "fold it into the convolution in front before quantization",
    "Mul": "fold constant factors into the weights; gating by another tensor is not supported yet",
    "QLinearConv": "pass the model in QDQ form (QuantizeLinear/DequantizeLinear around Conv)",
    "ReduceMean": "use GlobalAveragePool",
    "Softmax": "only a Softmax at the end of the network is supported (on the host)",
    "ArgMax": "only an ArgMax at the end of the network is supported (on the host)",
}


def import_graph(model: onnx.ModelProto, file: str) -> Graph:
    """The layers of a QDQ `model` (static shapes, constants folded, nodes named), unfused, and its host part.

    Raises TalosError naming the node, the reason and what to do, for whatever is not supported.
    """
    ir_model = onnx_ir.from_proto(model)
    importer = Importer(file, ir_model.graph)
    for value in model_inputs(model):
        shape = tuple(dim.dim_value for dim in value.type.tensor_type.shape.dim)
        dtype = np.dtype(onnx.helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type)).name
        feed = Feed(value.name, shape, dtype)
        importer.feeds.append(feed)
        index = np.arange(np.prod(shape), dtype=np.int32).reshape(shape)
        importer.values[value.name] = Activation(feed, index, real=dtype == "float32")
    on_host = host_nodes(model)
    handed_over = host_inputs(model, on_host)
    # A DequantizeLinear at the head of the host part is imported too: an accelerated layer may read its result as well.
    skipped = {node.name for node in on_host if not set(handed_over).intersection(node.input[:1])}
    for node in ir_model.graph:
        if node.name in skipped:
            continue
        _handler(importer, node)(importer, node)
    results = [output.name for output in model.graph.output]
    made_by_host = {name for node in on_host for name in node.output}
    needed = list(dict.fromkeys([*(name for name in results if name not in made_by_host), *handed_over]))
    if not needed:
        raise TalosError(f"{file}: no output depends on a supported layer; check the model's outputs")
    graph = importer.finish(model.graph.name or "network", needed, results, ir_model.graph[-1])
    if on_host:
        graph.host.append(host_part(model, on_host, graph.output_specs))
    return graph


def _handler(importer: Importer, node: onnx_ir.Node) -> Handler:
    suggestion = _SUGGESTIONS.get(node.op_type, f"rewrite it with {', '.join(SUPPORTED_OPS)}")
    if node.domain not in ("", "ai.onnx"):
        raise importer.error(node, "this operator is not supported", "export the model with standard ONNX operators")
    if node.op_type not in _HANDLERS:
        raise importer.error(node, "this operator is not supported", suggestion)
    return _HANDLERS[node.op_type]
