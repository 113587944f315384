"""Writes DequantizeLinear, float operators and QuantizeLinear in the place of integer operators, node by node."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper

from talos.errors import TalosError

__all__ = ["QdqRewriter"]

_KEEP_SCALE = (
    "Concat", "Flatten", "Identity", "MaxPool", "Pad", "Reshape", "Slice", "Squeeze", "Transpose", "Unsqueeze",
)  # fmt: skip
"""Operators that onnxruntime applies to integer codes and that leave their scale."""


class QdqRewriter:
    """Collects the new nodes of a model: `emit` and the methods that call it add them in order, `finish` puts them in place.

    Parameters
    ----------
    model
        Changed in place by `finish`. Every node must have a name of its own.
    file
        For messages.
    """

    def __init__(self, model: onnx.ModelProto, file: str) -> None:
        self.model = model
        self.file = file
        self.opset = next((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), 1)
        self.absorbed: set[str] = set()
        self._nodes: list[onnx.NodeProto] = []
        self._made: dict[str, onnx.NodeProto] = {}
        self._dequantized: dict[tuple[str, str, str], str] = {}
        self._constants = {tensor.name: tensor for tensor in model.graph.initializer}
        self._readers: dict[str, list[onnx.NodeProto]] = {}
        for node in model.graph.node:
            if node.op_type == "Constant" and node.attribute and node.attribute[0].name == "value":
                self._constants[node.output[0]] = node.attribute[0].t
            for name in node.input:
                self._readers.setdefault(name, []).append(node)

    def error(self, node: onnx.NodeProto, reason: str, suggestion: str) -> TalosError:
        """The refusal of `node`, naming it."""
        kind = f"{node.domain}.{node.op_type}" if node.domain not in ("", "ai.onnx") else node.op_type
        return TalosError(f"{self.file}: node '{node.name}' ({kind}): {reason}; {suggestion}")

    def constant(self, node: onnx.NodeProto, name: str) -> npt.NDArray[np.generic]:
        """The constant `name`, which `node` reads. Raises TalosError if it is computed."""
        if name not in self._constants:
            raise self.error(node, f"'{name}' is computed at run time", "export or quantize the model with constant scales")
        return np.asarray(numpy_helper.to_array(self._constants[name]))

    def add(self, array: npt.ArrayLike, name: str) -> str:
        """A new constant; returns its name."""
        self._constants[name] = numpy_helper.from_array(np.asarray(array), name)
        self.model.graph.initializer.append(self._constants[name])
        return name

    def emit(self, node: onnx.NodeProto) -> None:
        """Adds `node` behind those that are there."""
        self._nodes.append(node)
        self._made.update(dict.fromkeys(node.output, node))

    def finish(self) -> onnx.ModelProto:
        """The model with its nodes replaced."""
        del self.model.graph.node[:]
        self.model.graph.node.extend(node for node in self._nodes if node.name not in self.absorbed)
        if not any(entry.domain in ("", "ai.onnx") for entry in self.model.opset_import):
            raise TalosError(f"{self.file}: no version of the standard operators is given; export the model again")
        return self.model

    # Operands -------------------------------------------------------------------------------------------------------------------

    def dequantized(self, node: onnx.NodeProto, x: str, scale: str, zero: str) -> str:
        """DequantizeLinear of `x` with one scale; the same for all its readers."""
        if self.constant(node, scale).size != 1:
            raise self.error(node, f"'{x}' has a scale per channel", "quantize activations per tensor")
        key = (x, scale, zero)
        if key not in self._dequantized:
            self._dequantized[key] = f"{node.name}.{x}.{len(self._dequantized)}"
            self._dequantize(self._dequantized[key], [x, scale, *([zero] if zero else [])])
        return self._dequantized[key]

    def operand(self, node: onnx.NodeProto, x: str, scale: str, zero: str, axis: int) -> str:
        """DequantizeLinear of `x`: along `axis` if it has several scales."""
        if self.constant(node, scale).size == 1:
            return self.dequantized(node, x, scale, zero)
        return self.weight(node, x, scale, zero, axis)

    def weight(self, node: onnx.NodeProto, w: str, scale: str, zero: str, axis: int) -> str:
        """DequantizeLinear of the constant `w`, scale and zero point being scalars or one value per index along `axis`."""
        codes, steps = self.constant(node, w), self.constant(node, scale)
        zeros = self.constant(node, zero) if zero else np.zeros((), codes.dtype)
        count = max(steps.size, zeros.size)
        if count > 1 and (
            codes.ndim <= axis % max(codes.ndim, 1) or codes.shape[axis] != count or {steps.size, zeros.size} - {1, count}
        ):
            raise self.error(
                node, f"weight {list(codes.shape)} with {steps.size} scales and {zeros.size} zero points", "check the model"
            )
        shape = (count,) if count > 1 else ()
        name = f"{node.name}.{w}.weight"
        inputs = [
            w,
            self.add(np.broadcast_to(steps.reshape(-1) if steps.size > 1 else steps.reshape(()), shape), f"{name}.scale"),
            self.add(np.broadcast_to(zeros.reshape(-1) if zeros.size > 1 else zeros.reshape(()), shape), f"{name}.zero_point"),
        ]
        self._dequantize(name, inputs, axis % codes.ndim if count > 1 else None)
        return name

    def bias(self, node: onnx.NodeProto, b: str, scale_x: str, scale_w: str, alpha: float = 1.0) -> str:
        """DequantizeLinear of the int32 constant `b` in steps of alpha · scale_x · scale_w, along its last axis."""
        codes = self.constant(node, b)
        step_x, step_w = (self.constant(node, name).astype(np.float32) for name in (scale_x, scale_w))
        step = np.asarray(np.float32(alpha) * step_x.reshape(()) * step_w.reshape(-1), np.float32)
        if step.size > 1 and codes.shape[-1:] != step.shape:
            raise self.error(node, f"bias {list(codes.shape)} for {step.size} scales", "check the model")
        name = f"{node.name}.{b}.bias"
        inputs = [b, self.add(step if step.size > 1 else step.reshape(()), f"{name}.scale")]
        self._dequantize(name, inputs, codes.ndim - 1 if step.size > 1 else None)
        return name

    def _dequantize(self, output: str, inputs: list[str], axis: int | None = None) -> None:
        attributes: dict[str, Any] = {} if axis is None else {"axis": axis}
        self.emit(helper.make_node("DequantizeLinear", inputs, [output], name=output, **attributes))

    # Operators ------------------------------------------------------------------------------------------------------------------

    def operator(self, node: onnx.NodeProto, op_type: str, inputs: Sequence[str], scale: str, zero: str, rank: int = 0) -> None:
        """`op_type` with the name and attributes of `node`, and QuantizeLinear; without a `scale` the result stays float.

        With the attribute channels_last, the first operand (of `rank` dimensions) and the result have their channels last.
        """
        output = f"{node.name}.y" if scale else node.output[0]
        last = next((attribute.i for attribute in node.attribute if attribute.name == "channels_last"), 0)
        self.float_node(node, op_type, inputs, output, rank if last else 0)
        if scale:
            operands = [output, scale, *([zero] if zero else [])]
            self.emit(helper.make_node("QuantizeLinear", operands, [node.output[0]], name=f"{node.name}.quantize"))

    def float_node(self, node: onnx.NodeProto, op_type: str, inputs: Sequence[str], output: str, last: int = 0) -> None:
        """`op_type` with the name and attributes of `node`; `last` is the rank of values with channels last (0: channels first)."""
        operands, result = list(inputs), output
        if last:
            operands[0], result = f"{node.name}.channels_first", f"{node.name}.result"
            order = [0, last - 1, *range(1, last - 1)]
            self.emit(helper.make_node("Transpose", [inputs[0]], [operands[0]], name=operands[0], perm=order))
        new = helper.make_node(op_type, operands, [result], name=node.name)
        new.attribute.extend(attribute for attribute in node.attribute if attribute.name != "channels_last")
        self.emit(new)
        if last:
            order = [0, *range(2, last), 1]
            self.emit(helper.make_node("Transpose", [result], [output], name=f"{node.name}.channels_last", perm=order))

    # Integer sums ---------------------------------------------------------------------------------------------------------------

    def scaled_sums(self, node: onnx.NodeProto) -> tuple[npt.NDArray[np.float32], str] | None:
        """(factor, result) if nothing but Cast to float and Mul by a constant reads the int32 result of `node`, else None.

        Those two nodes are left out of the model then.
        """
        cast = self._only_reader(node.output[0], "Cast")
        product = self._only_reader(cast.output[0], "Mul") if cast is not None else None
        if cast is None or product is None or cast.attribute[0].i != onnx.TensorProto.FLOAT:
            return None
        factors = [name for name in product.input if name in self._constants]
        if len(factors) != 1:
            return None
        self.absorbed.update((cast.name, product.name))
        return self.constant(product, factors[0]).astype(np.float32), product.output[0]

    def source_scale(self, node: onnx.NodeProto, codes: str) -> np.float32:
        """The scale of the integer value `codes`; 1 if the model gives none."""
        maker = self._made.get(codes)
        while maker is not None and maker.op_type in _KEEP_SCALE:
            codes = maker.input[0]
            maker = self._made.get(codes)
        readers = [reader for reader in self._readers.get(codes, ()) if reader.op_type == "DequantizeLinear"]
        for known in (maker, *readers):
            if known is not None and known.op_type in ("QuantizeLinear", "DequantizeLinear"):
                return np.float32(self.constant(node, known.input[1]).reshape(-1)[0])
        return np.float32(1)

    def _only_reader(self, name: str, op_type: str) -> onnx.NodeProto | None:
        readers = self._readers.get(name, [])
        shown = any(output.name == name for output in self.model.graph.output)
        return readers[0] if len(readers) == 1 and readers[0].op_type == op_type and not shown else None
