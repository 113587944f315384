"""Builds the networks of this package: `QdqModel` with layers that choose sensible scales, and float layers."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper

from tests.compiler.qdq_models import QdqModel
from tests.quirks.registry import Network

__all__ = ["Net", "X"]

X = 0.03
"""The usual scale of inputs."""

SAMPLES = 48


class Net(QdqModel):
    """Adds layers to a graph; every method returns the name of the value it makes.

    `scales[value]` is the scale that a dequantized value was quantized with.
    """

    def __init__(self, seed: int = 0, opset: int = 17, ir_version: int = 8) -> None:
        super().__init__(seed, opset)
        self.ir_version = ir_version
        self.scales: dict[str, float] = {}
        self.functions: list[onnx.FunctionProto] = []

    # Quantized layers -----------------------------------------------------------------------------------------------------------

    def image(self, *shape: int | str, scale: float = X, zero: int = 0, dtype: str = "int8", name: str = "x") -> str:
        """A float input of `shape`, quantized and dequantized."""
        return self.qdq(self.input(name, shape), scale, zero, dtype)

    def codes(self, *shape: int | str, scale: float = X, zero: int = 0, dtype: str = "int8", name: str = "x") -> str:
        """An integer input of `shape`, dequantized."""
        return self.dequantize(self.input(name, shape, dtype), scale, zero, dtype)

    def dequantize(self, value: str, scale: float, zero: int, dtype: str = "int8") -> str:
        result = super().dequantize(value, scale, zero, dtype)
        self.scales[result] = scale
        return result

    def conv_layer(
        self,
        x: str,
        shape: Sequence[int],
        *,
        relu: bool = False,
        zero: int = 0,
        dtype: str = "int8",
        bias: bool = True,
        per_channel: bool = True,
        **attributes: Any,
    ) -> str:
        """Convolution with random weights of `shape` (K, C / groups, R, S), quantized to a scale that uses the codes."""
        value = self.conv(x, shape, self.scales[x], bias=bias, per_channel=per_channel, **attributes)
        if relu:
            value = self.node("Relu", [value])
        return self.qdq(value, self.result_scale(x, int(np.prod(shape[1:]))), zero, dtype)

    def result_scale(self, x: str, fan_in: int) -> float:
        """A scale for sums of `fan_in` products of `x` and random weights: ±128 codes are about three standard deviations."""
        return float(np.float32(self.scales[x] * np.sqrt(fan_in) * 90 * 0.8 / 42))

    def gemm_layer(self, x: str, features: int, count: int, *, zero: int = 0, dtype: str = "int8") -> str:
        """Gemm with a weight (count, features), as PyTorch has it, quantized."""
        inputs = [x, self.weight((count, features)), self.bias(count, self.scales[x])]
        return self.qdq(self.node("Gemm", inputs, transB=1), self.result_scale(x, features), zero, dtype)

    def same(self, op: str, x: str, zero: int = 0, dtype: str = "int8", inputs: Sequence[str] = (), **attributes: Any) -> str:
        """A node that keeps the scale of `x`, quantized; `inputs` are the operands behind `x`."""
        return self.qdq(self.node(op, [x, *inputs], **attributes), self.scales[x], zero, dtype)

    # Float layers ---------------------------------------------------------------------------------------------------------------

    def values(self, shape: Sequence[int], spread: float = 1.0, middle: float = 0.0) -> str:
        """A float32 constant of normally distributed values."""
        return self.constant(self.random.normal(middle, spread, shape).astype(np.float32))

    def fconv(self, x: str, shape: Sequence[int], *, bias: bool = True, **attributes: Any) -> str:
        """A float convolution whose results have about the spread of its operand."""
        weight = self.values(shape, float(np.sqrt(2 / np.prod(shape[1:]))))
        extra = [self.values([shape[0]], 0.1)] if bias else []
        return self.node("Conv", [x, weight, *extra], kernel_shape=list(shape[2:]), **attributes)

    def fconv_relu(self, x: str, shape: Sequence[int], **attributes: Any) -> str:
        """`fconv` and Relu."""
        return self.node("Relu", [self.fconv(x, shape, **attributes)])

    def normalize(self, x: str, channels: int, **attributes: Any) -> str:
        """BatchNormalization in inference form."""
        gamma, variance = (self.constant(self.random.uniform(0.5, 1.5, channels).astype(np.float32)) for _ in range(2))
        return self.node("BatchNormalization", [x, gamma, self.values([channels], 0.2), self.values([channels], 0.2), variance],
                         epsilon=1e-3, **attributes)  # fmt: skip

    def fgemm(self, x: str, features: int, count: int, **attributes: Any) -> str:
        """A float Gemm with a weight (count, features)."""
        weight = self.values((count, features), float(np.sqrt(2 / features)))
        return self.node("Gemm", [x, weight, self.values([count], 0.1)], transB=1, **attributes)

    def shape(self, *values: int) -> str:
        """An int64 constant."""
        return self.constant(np.array(values, np.int64))

    # The end --------------------------------------------------------------------------------------------------------------------

    def model(self) -> onnx.ModelProto:
        inputs = list(self.inputs)
        if self.ir_version < 4:  # initializers were inputs with a default then
            inputs += [
                helper.make_tensor_value_info(tensor.name, tensor.data_type, list(tensor.dims)) for tensor in self.constants
            ]
        graph = helper.make_graph(self.nodes, "net", inputs, self.outputs, self.constants)
        domains = sorted({node.domain for node in self.nodes if node.domain})
        opsets = [helper.make_opsetid("", self.opset), *(helper.make_opsetid(domain, 1) for domain in domains)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=self.ir_version, functions=self.functions)
        model = onnx.shape_inference.infer_shapes(model, data_prop=True)
        for output in model.graph.output:
            if not output.type.tensor_type.HasField("shape"):  # inference gave up: the checker still wants a shape
                output.type.tensor_type.shape.SetInParent()
        return model

    def quantized(self, *values: str, dtype: str = "float32", reach: float = 4.2) -> Network:
        """The network with the results `values`."""
        for value in values:
            self.output(value, dtype)
        return Network(self.model(), reach=reach)

    def floating(self, *values: str, dtype: str = "float32") -> Network:
        """The float network with the results `values`, and normally distributed samples for its inputs."""
        for value in values:
            self.output(value, dtype)
        return Network(self.model(), self.samples())

    def samples(self) -> dict[str, npt.NDArray[Any]]:
        """Float32 calibration samples for every input."""
        random = np.random.default_rng(99)
        found = {}
        for value in self.inputs:
            if value.type.tensor_type.elem_type == TensorProto.FLOAT:
                sizes = [dim.dim_value for dim in value.type.tensor_type.shape.dim[1:]]
                found[value.name] = random.normal(0, 1, (SAMPLES, *sizes)).astype(np.float32)
        return found
