"""onnxruntime's quantized kernels as functions of int8 codes: one-node models whose parameters are inputs.

A `Witness` takes and returns int8 codes and int8 zero points, also where the model underneath is uint8: the codes' top bit is
inverted on the way in and out.
"""

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime
from onnx import TensorProto, helper

__all__ = ["Witness", "session_options"]

Int8Array = npt.NDArray[np.int8]
_MICROSOFT = "com.microsoft"


class Witness:
    """One onnxruntime operator on int8 or uint8 tensors.

    `operands` and `parameters` name the node's inputs in order: operands are quantized tensors; parameters starting with `s` are
    float32 scales, with `z` zero points of the tensors' type, `w` int8 weights, `zw` their zero point and `B` an int32 bias.
    `wrap` puts the float operator `op_type` between DequantizeLinear of each operand and QuantizeLinear; the inputs are operand, scale
    and zero point of each, then scale and zero point of the result. `fuse` leaves onnxruntime's fusions on.
    """

    def __init__(
        self,
        op_type: str,
        inputs: str,
        *,
        domain: str = _MICROSOFT,
        unsigned: bool = False,
        wrap: bool = False,
        fuse: bool = True,
        attributes: Mapping[str, Any] | None = None,
    ) -> None:
        self.op_type = op_type
        self.names = inputs.split()
        self.domain = domain
        self.unsigned = unsigned
        self.wrap = wrap
        self.fuse = fuse
        self.attributes = dict(attributes or {})

    @cached_property
    def session(self) -> onnxruntime.InferenceSession:
        codes = TensorProto.UINT8 if self.unsigned else TensorProto.INT8
        types = {"s": TensorProto.FLOAT, "f": TensorProto.FLOAT, "z": codes, "w": TensorProto.INT8, "B": TensorProto.INT32}
        if self.wrap:
            operands = [self.names[i : i + 3] for i in range(0, len(self.names) - 2, 3)]
            floats = [f"{operand}_float" for operand, _, _ in operands]
            nodes = [
                *(helper.make_node("DequantizeLinear", names, [f"{names[0]}_float"]) for names in operands),
                helper.make_node(self.op_type, floats, ["float"], **self.attributes),
                helper.make_node("QuantizeLinear", ["float", *self.names[-2:]], ["result"]),
            ]
        else:
            nodes = [helper.make_node(self.op_type, self.names, ["result"], domain=self.domain, **self.attributes)]
        graph_inputs = []
        for name in self.names:
            element = TensorProto.INT8 if name == "zw" else types.get(name[0], codes)
            graph_inputs.append(helper.make_tensor_value_info(name, element, None))
        outputs = [helper.make_tensor_value_info("result", codes, None)]
        graph = helper.make_graph(nodes, "witness", graph_inputs, outputs)
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", 18), helper.make_opsetid(_MICROSOFT, 1)], ir_version=9
        )
        options = session_options()
        if not self.fuse:
            options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])

    def __call__(self, **values: Any) -> Int8Array:
        """The int8 codes onnxruntime computes; one keyword per input."""
        feeds = {}
        for name in self.names:
            if name[0] in "sf":
                feeds[name] = np.asarray(values[name], np.float32)
            elif name == "B":
                feeds[name] = np.asarray(values[name], np.int32)
            elif name[0] == "w" or name == "zw":
                feeds[name] = np.asarray(values[name], np.int8)
            else:
                feeds[name] = self._to_onnx(np.asarray(values[name], np.int8))
        result = self.session.run(None, feeds)[0]
        return (result ^ np.uint8(128)).view(np.int8) if self.unsigned else np.asarray(result)

    def _to_onnx(self, codes: Int8Array) -> npt.NDArray[Any]:
        if not self.unsigned:
            return codes
        return np.asarray(np.asarray(codes).view(np.uint8) ^ np.uint8(128))


def session_options() -> onnxruntime.SessionOptions:
    """Default optimizations, one thread, and int8 activations fused like uint8 ones."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.qdqisint8allowed", "1")
    return options
