"""A float function of one quantized tensor, kept as ONNX nodes, and its table, which onnxruntime computes.

onnxruntime approximates exp, tanh, erf and their like, and fuses some functions with the quantization around them into kernels of its
own (QLinearSigmoid, QLinearLeakyRelu). A table read off the quantized nodes themselves, run as the network is run, follows all of that.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper

from talos.compiler.graph.ir import Tensor
from talos.compiler.reading.reference_session import reason, reference_session
from talos.errors import TalosError

__all__ = ["VARIABLE", "FloatFunction", "function_table"]

VARIABLE = "talos.x"
"""The name by which the nodes of a function read its variable."""

Int8Array = npt.NDArray[np.int8]


@dataclass(frozen=True)
class FloatFunction:
    """`result` as the ONNX `nodes` (in order, each reading `VARIABLE`, `constants` or earlier results) compute it element by element.

    No nodes, and `VARIABLE` as the result: the identity.
    """

    nodes: tuple[onnx.NodeProto, ...] = ()
    constants: tuple[onnx.TensorProto, ...] = ()
    result: str = VARIABLE

    def joined(self, other: "FloatFunction") -> "FloatFunction":
        """The nodes of both functions of one variable, each once; the result is still this one's."""
        nodes = {node.output[0]: node for node in (*self.nodes, *other.nodes)}
        constants = {tensor.name: tensor for tensor in (*self.constants, *other.constants)}
        return FloatFunction(tuple(nodes.values()), tuple(constants.values()), self.result)

    def of(self, inner: "FloatFunction") -> "FloatFunction":
        """This function of the result of `inner`."""
        nodes = []
        for node in self.nodes:
            copy = onnx.NodeProto()
            copy.CopyFrom(node)
            copy.input[:] = [inner.result if name == VARIABLE else name for name in node.input]
            nodes.append(copy)
        result = inner.result if self.result == VARIABLE else self.result
        return FloatFunction((*inner.nodes, *nodes), (*inner.constants, *self.constants), result)

    def quantized(self, tensor: Tensor) -> "FloatFunction":
        """The number that is left of the result once it has been a code of `tensor`."""
        names = [f"{tensor.name}.{part}" for part in ("scale", "zero_point", "codes", "number")]
        nodes = (
            helper.make_node("QuantizeLinear", [self.result, names[0], names[1]], [names[2]]),
            helper.make_node("DequantizeLinear", [names[2], names[0], names[1]], [names[3]]),
        )
        return FloatFunction((*self.nodes, *nodes), (*self.constants, *_parameters(tensor, names[0], names[1])), names[3])


def _parameters(tensor: Tensor, scale: str, zero_point: str) -> list[onnx.TensorProto]:
    """Scale and zero point of `tensor` as ONNX constants of these names."""
    zero = np.array(tensor.zero_point + 128 * tensor.unsigned, np.uint8 if tensor.unsigned else np.int8)
    return [numpy_helper.from_array(np.array(tensor.scale, np.float32), scale), numpy_helper.from_array(zero, zero_point)]


def function_table(function: FloatFunction, source: Tensor, target: Tensor, opsets: Mapping[str, int]) -> Int8Array:
    """int8[256]: entry `code + 128` is the code in `target` of `function` at the number that `code` is in `source`.

    `opsets` are the versions of the operators' domains. Raises TalosError if onnxruntime cannot run the nodes.
    """
    shape = (1, 4, 8, 8)  # an image: kernels that take channels find some
    types = [onnx.TensorProto.UINT8 if tensor.unsigned else onnx.TensorProto.INT8 for tensor in (source, target)]
    names = {VARIABLE: "talos.number"}
    nodes = [helper.make_node("DequantizeLinear", ["talos.codes", "talos.scale_x", "talos.zero_x"], [names[VARIABLE]])]
    for node in function.nodes:
        copy = onnx.NodeProto()
        copy.CopyFrom(node)
        copy.input[:] = [names.get(name, name) for name in node.input]
        nodes.append(copy)
    result = names.get(function.result, function.result)
    nodes.append(helper.make_node("QuantizeLinear", [result, "talos.scale_y", "talos.zero_y"], ["talos.y"]))
    constants = list(function.constants)
    for tensor, letter in ((source, "x"), (target, "y")):
        constants.extend(_parameters(tensor, f"talos.scale_{letter}", f"talos.zero_{letter}"))
    graph = helper.make_graph(
        nodes,
        "table",
        [helper.make_tensor_value_info("talos.codes", types[0], shape)],
        [helper.make_tensor_value_info("talos.y", types[1], None)],
        constants,
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid(domain, version) for domain, version in opsets.items()], ir_version=10
    )
    return _table(model.SerializeToString(deterministic=True), source.unsigned, target.unsigned).copy()


@lru_cache(maxsize=1024)
def _table(model: bytes, unsigned_x: bool, unsigned_y: bool) -> Int8Array:
    codes = np.arange(256) - (0 if unsigned_x else 128)
    feed = codes.astype(np.uint8 if unsigned_x else np.int8).reshape(1, 4, 8, 8)
    try:
        (result,) = reference_session(model).run(None, {"talos.codes": feed})
    except Exception as error:  # onnxruntime's own exceptions share no base class
        raise TalosError(f"onnxruntime cannot compute it ({reason(error)})") from error
    if result.size != 256:
        raise TalosError(f"it makes {result.size} values of 256")
    return np.asarray((result ^ 0x80 if unsigned_y else result).reshape(-1).view(np.int8))
