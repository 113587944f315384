"""A quantized ONNX graph, node by node, into layers; what is refused goes to the host."""

import contextlib
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import onnx
import onnx_ir

from talos.compiler.graph.ir import Graph
from talos.compiler.importing import (
    import_binary,
    import_function,
    import_join,
    import_linear,
    import_matmul,
    import_pad,
    import_pool,
    import_quantize,
    import_resize,
    import_shape,
)
from talos.compiler.importing.finish_graph import NothingLeftError, finish_graph
from talos.compiler.importing.host import HOST_OPS
from talos.compiler.importing.importer import Importer
from talos.compiler.importing.partition import Partition
from talos.compiler.importing.values import Activation, Feed
from talos.compiler.reading.refusal import Refusal
from talos.errors import TalosError

__all__ = ["OPERATORS", "SUPPORTED_OPS", "Imported", "import_graph"]

Handler = Callable[[Importer, onnx_ir.Node], None]

OPERATORS: dict[str, Handler] = {
    **import_binary.HANDLERS,
    **import_function.HANDLERS,
    **import_join.HANDLERS,
    **import_linear.HANDLERS,
    **import_pad.HANDLERS,
    **import_matmul.HANDLERS,
    **import_pool.HANDLERS,
    **import_quantize.HANDLERS,
    **import_resize.HANDLERS,
    **import_shape.HANDLERS,
}
"""What turns a node of each operator into layers."""

SUPPORTED_OPS = tuple(sorted(OPERATORS))
_HANDLERS = {**OPERATORS, **import_linear.REFUSALS, **import_quantize.REFUSALS}

MAX_ELEMENTS = 1 << 28
"""Of one tensor: the accelerator addresses 2 GiB, and the compiler keeps a 32-bit number for each element."""

_DAMAGE = (IndexError, KeyError, MemoryError, OverflowError, TypeError, ValueError)
"""What NumPy and Python raise at a node whose operands and attributes do not fit each other."""

_SUGGESTIONS = {
    "BatchNormalization": "fold it into the convolution in front before quantization",
    "Cast": "feed the model with the quantized type",
}


@dataclass(frozen=True)
class Imported:
    """`graph` is unfused; `on_host` has the (reason, suggestion) for each node of the imported model that runs on the host."""

    graph: Graph
    on_host: dict[str, tuple[str, str]]


def import_graph(model: onnx.ModelProto, file: str) -> Imported:
    """The layers of a quantized `model` (static shapes, constants folded, nodes named), and what is left to the host.

    What the accelerator refuses goes to the host with all that depends on it, or with all that it depends on, whichever leaves more
    multiply-accumulates to the accelerator. Raises TalosError if the model is wrong, or nothing is left for the accelerator.
    """
    partition = Partition(model, file, layers_in_front=True)
    try:
        imported = _import(model, file, partition)
    except NothingLeftError:
        if not partition.before:
            raise
        return _import(model, file, Partition(model, file, layers_in_front=False))
    if any(partition.macs[name] for name in partition.before):
        # The front has been chosen before all refusals were known: the other choice may turn out to be the better one.
        other = Partition(model, file, layers_in_front=False)
        with contextlib.suppress(NothingLeftError):
            alternative = _import(model, file, other)
            if other.accelerated_macs > partition.accelerated_macs:
                return alternative
    return imported


def _import(model: onnx.ModelProto, file: str, partition: Partition) -> Imported:
    """As `import_graph`, for a partition that grows until the rest can be accelerated."""
    ir_model = onnx_ir.from_proto(model)
    while True:
        importer = Importer(file, ir_model.graph)
        unusable = _feed(importer, partition)
        if not _import_nodes(importer, partition, unusable):
            continue
        finished = finish_graph(model, importer, partition)
        if finished is not None:
            return Imported(*finished)


def _feed(importer: Importer, partition: Partition) -> dict[str, str]:
    """Makes an activation of each value that is there before the accelerator starts; why it cannot, for those of other types."""
    unusable = {}
    for name in partition.host_values():
        dtype, shape = partition.types.get(name, ("unknown", None))
        if dtype not in ("float32", "int8", "uint8") or shape is None or 0 in shape:
            unusable[name] = f"it reads '{name}', which is {dtype}" + ("" if shape else " of unknown or empty shape")
            continue
        if math.prod(shape) > MAX_ELEMENTS:
            raise TalosError(
                f"{importer.file}: input '{name}' has {math.prod(shape):,} elements; at most {MAX_ELEMENTS:,} are supported"
            )
        feed = Feed(name, shape, dtype)
        importer.feeds.append(feed)
        index = np.arange(np.prod(shape), dtype=np.int32).reshape(shape)
        importer.values[name] = Activation(feed, index, real=dtype == "float32")
    return unusable


def _import_nodes(importer: Importer, partition: Partition, unusable: dict[str, str]) -> bool:
    """Imports all nodes that are not on the host; refused ones are given to it. Returns whether what was imported before still holds."""
    flow = partition.flow
    for node in importer.graph:
        name = str(node.name)
        if name in partition.before or name in partition.after:
            continue
        try:
            reason = next((unusable[value] for value in flow.reads[name] if value in unusable), None)
            if reason is not None:
                raise importer.error(node, reason, "quantize it to int8 or uint8")
            _require_size(importer, partition, node)
            _handler(importer, node)(importer, node)
        except _DAMAGE as error:
            reason = f"shapes or attributes do not fit ({str(error) or type(error).__name__})"
            raise importer.invalid(node, reason, "check the model: onnxruntime would refuse it too") from error
        except Refusal as refusal:
            if flow.constant(refusal.node):  # whoever reads the constant is refused
                unusable |= dict.fromkeys(
                    flow.nodes[refusal.node].output, f"'{refusal.node}' makes its operand: {refusal.reason}"
                )
                holds = refusal.node == name
            else:
                holds = not partition.refuse(refusal) and refusal.node == name
            if not holds:
                return False
    return True


def _require_size(importer: Importer, partition: Partition, node: onnx_ir.Node) -> None:
    """Raise TalosError if `node` makes more elements than the compiler can handle."""
    for output in node.outputs:
        shape = partition.types.get(str(output.name), ("", None))[1]
        if shape is not None and math.prod(shape) > MAX_ELEMENTS:
            reason = f"its result has {math.prod(shape):,} elements"
            raise importer.invalid(node, reason, f"at most {MAX_ELEMENTS:,} are supported")


def _handler(importer: Importer, node: onnx_ir.Node) -> Handler:
    if node.domain not in ("", "ai.onnx"):
        raise importer.error(node, "this operator is not supported", "export the model with standard ONNX operators")
    if node.op_type in HOST_OPS:
        raise importer.error(
            node, f"{node.op_type} is computed in float", "nothing, where it ends the network; else leave it out"
        )
    if node.op_type not in _HANDLERS:
        suggestion = _SUGGESTIONS.get(node.op_type, "rewrite it with operators that the user guide lists")
        raise importer.error(node, "this operator is not supported", suggestion)
    return _HANDLERS[node.op_type]
