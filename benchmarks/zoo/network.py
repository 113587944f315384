"""Builds quantized networks with seeded weights, layer by layer, calibrating each on one random image as it is added.

The models have the form in which `onnxruntime.quantization` writes them: QuantizeLinear and DequantizeLinear around every operator, int8
activations with a zero point, int8 weights with a scale per output channel, int32 bias.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from zlib import crc32

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

__all__ = ["Network", "Value"]

FloatArray = npt.NDArray[np.float32]
OPSET = 17


@dataclass(frozen=True)
class Value:
    """An ONNX value between layers: `name` is that of its DequantizeLinear, `array` what it is for the calibration image (1, C, H, W)."""

    name: str
    array: FloatArray
    scale: np.float32
    zero_point: np.int8

    @property
    def channels(self) -> int:
        return int(self.array.shape[1])


class Network:
    """A network under construction.

    Parameters
    ----------
    name
        Seeds the weights and the calibration image.
    size
        Height and width of the input image.
    width
        Factor on the numbers of channels: networks of the same shape, small enough for tests.
    """

    def __init__(self, name: str, size: int, width: float = 1.0) -> None:
        self.name = name
        self.size = size
        self.width = width
        self._rng = np.random.default_rng(crc32(name.encode()))
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []
        self._inputs: list[onnx.ValueInfoProto] = []
        self._outputs: list[onnx.ValueInfoProto] = []
        self._layers = 0

    def scaled(self, channels: int) -> int:
        """`channels` times the width factor, at least one."""
        return max(1, round(channels * self.width))

    # Layers ---------------------------------------------------------------------------------------------------------------------

    def image(self, channels: int = 3) -> Value:
        """The input, normalized as ImageNet's images are."""
        array = self._rng.standard_normal((1, channels, self.size, self.size), dtype=np.float32)
        self._inputs.append(helper.make_tensor_value_info("image", TensorProto.FLOAT, array.shape))
        return self._quantize("image", array)

    def conv(
        self,
        x: Value,
        channels: int,
        kernel: int,
        stride: int = 1,
        *,
        pads: Sequence[int] | None = None,
        groups: int = 1,
        activation: str | None = None,
    ) -> Value:
        """Convolution with bias; `pads` (top, left, bottom, right) keep the size by default. `activation`: Relu, or Relu6 (a Clip)."""
        attributes: dict[str, Any] = {
            "kernel_shape": [kernel, kernel],
            "strides": [stride, stride],
            "pads": list(pads) if pads is not None else [kernel // 2] * 4,
            "group": groups,
        }
        shape = (channels, x.channels // groups, kernel, kernel)
        return self._linear("Conv", x, shape, activation, attributes)

    def depthwise(self, x: Value, stride: int = 1, *, pads: Sequence[int] | None = None, activation: str | None = None) -> Value:
        """3×3, one filter per channel."""
        return self.conv(x, x.channels, 3, stride, pads=pads, groups=x.channels, activation=activation)

    def linear(self, x: Value, features: int, *, activation: str | None = None) -> Value:
        """Fully connected layer of a vector (1, n)."""
        return self._linear("Gemm", x, (features, x.channels), activation, {"transB": 1})

    def leaky_relu(self, x: Value, alpha: float) -> Value:
        return self._operator("LeakyRelu", [x], alpha=alpha)

    def max_pool(self, x: Value, kernel: int, stride: int, *, pads: Sequence[int] = (0, 0, 0, 0), ceil: bool = False) -> Value:
        """Maximum over kernel × kernel; `ceil` keeps windows that reach over the edge."""
        attributes: dict[str, Any] = {
            "kernel_shape": [kernel, kernel],
            "strides": [stride, stride],
            "pads": list(pads),
            "ceil_mode": int(ceil),
        }
        return self._operator("MaxPool", [x], same_scale=True, **attributes)

    def global_average(self, x: Value) -> Value:
        """(1, C, H, W) → (1, C)."""
        return self._operator("Flatten", [self._operator("GlobalAveragePool", [x])], same_scale=True)

    def flatten(self, x: Value) -> Value:
        """(1, C, H, W) → (1, C·H·W)."""
        return self._operator("Flatten", [x], same_scale=True)

    def add(self, a: Value, b: Value, *, activation: str | None = None) -> Value:
        return self._operator("Add", [a, b], activation=activation)

    def concat(self, values: Sequence[Value]) -> Value:
        """Along the channels."""
        return self._operator("Concat", values, axis=1)

    def upsample(self, x: Value) -> Value:
        """Every pixel twice, in both directions."""
        name = self._next("Resize")
        scales = np.array([1, 1, 2, 2], np.float32)
        attributes = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
        self._nodes.append(
            helper.make_node("Resize", [x.name, "", self._constant(f"{name}.scales", scales)], [name], name, **attributes)
        )
        return self._quantize(name, x.array.repeat(2, axis=2).repeat(2, axis=3), like=x)

    def output(self, x: Value) -> None:
        """Make `x` a result."""
        self._outputs.append(helper.make_tensor_value_info(x.name, TensorProto.FLOAT, x.array.shape))

    def model(self) -> onnx.ModelProto:
        """The quantized model."""
        graph = helper.make_graph(self._nodes, self.name, self._inputs, self._outputs, self._constants)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8, producer_name="talos")

    # Nodes ----------------------------------------------------------------------------------------------------------------------

    def _next(self, op: str) -> str:
        self._layers += 1
        return f"{op.lower()}{self._layers}"

    def _constant(self, name: str, array: npt.ArrayLike) -> str:
        self._constants.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def _linear(self, op: str, x: Value, shape: tuple[int, ...], activation: str | None, attributes: dict[str, Any]) -> Value:
        """Conv or Gemm: He's initialization keeps the activations' spread from layer to layer."""
        name = self._next(op)
        fan_in = int(np.prod(shape[1:]))
        weight = self._rng.standard_normal(shape, dtype=np.float32)
        weight *= np.float32(np.sqrt((2.0 if activation else 1.0) / fan_in))
        bias = (self._rng.standard_normal(shape[0]) * 0.1 * x.array.std()).astype(np.float32)
        array = _evaluate(op, [x.array, weight, bias], **attributes)
        scale = (np.abs(weight).max(axis=tuple(range(1, len(shape)))) / 127).astype(np.float32)
        scale[scale == 0] = 1
        weight /= scale.reshape(-1, *[1] * (len(shape) - 1))
        steps = x.scale * scale
        operands = [
            x.name,
            self._dequantized(f"{name}.weight", np.rint(weight, out=weight).astype(np.int8), scale),
            self._dequantized(f"{name}.bias", np.rint(bias / steps).astype(np.int32), steps),
        ]
        self._nodes.append(helper.make_node(op, operands, [name], name, **attributes))
        return self._activate(name, array, activation)

    def _operator(
        self, op: str, operands: Sequence[Value], *, same_scale: bool = False, activation: str | None = None, **attributes: Any
    ) -> Value:
        name = self._next(op)
        self._nodes.append(helper.make_node(op, [value.name for value in operands], [name], name, **attributes))
        array = _evaluate(op, [value.array for value in operands], **attributes)
        if same_scale:
            return self._quantize(name, array, like=operands[0])
        return self._activate(name, array, activation)

    def _activate(self, value: str, array: FloatArray, activation: str | None) -> Value:
        """Relu or Clip in front of the quantization, as they stand when they follow a convolution directly."""
        if activation is None:
            return self._quantize(value, array)
        name = self._next(activation)
        if activation == "Relu":
            self._nodes.append(helper.make_node("Relu", [value], [name], name))
            return self._quantize(name, np.maximum(array, 0))
        bounds = [self._constant(f"{name}.{side}", np.float32(bound)) for side, bound in (("min", 0), ("max", 6))]
        self._nodes.append(helper.make_node("Clip", [value, *bounds], [name], name))
        return self._quantize(name, np.clip(array, 0, 6))

    def _dequantized(self, name: str, codes: npt.NDArray[Any], scale: FloatArray) -> str:
        """A constant quantized along its first axis."""
        inputs = [
            self._constant(f"{name}_quantized", codes),
            self._constant(f"{name}_scale", scale.astype(np.float32)),
            self._constant(f"{name}_zero_point", np.zeros(scale.shape, codes.dtype)),
        ]
        self._nodes.append(helper.make_node("DequantizeLinear", inputs, [name], f"{name}_DequantizeLinear", axis=0))
        return name

    def _quantize(self, value: str, array: FloatArray, like: Value | None = None) -> Value:
        """QuantizeLinear and DequantizeLinear with the range of `array` (and zero), or the parameters of `like`."""
        if like is None:
            low, high = min(0.0, float(array.min())), max(0.0, float(array.max()))
            scale = np.float32((high - low) / 255 or 1)
            zero = np.int8(np.clip(np.rint(-128 - low / scale), -128, 127))
        else:
            scale, zero = like.scale, like.zero_point
        parameters = [self._constant(f"{value}_scale", scale), self._constant(f"{value}_zero_point", zero)]
        codes, result = f"{value}_QuantizeLinear_Output", f"{value}_DequantizeLinear_Output"
        self._nodes.append(helper.make_node("QuantizeLinear", [value, *parameters], [codes], f"{value}_QuantizeLinear"))
        self._nodes.append(helper.make_node("DequantizeLinear", [codes, *parameters], [result], f"{value}_DequantizeLinear"))
        return Value(result, array, scale, zero)


def _evaluate(op: str, operands: Sequence[FloatArray], **attributes: Any) -> FloatArray:
    """One operator in onnxruntime, in float32."""
    names = [f"x{i}" for i in range(len(operands))]
    inputs = [helper.make_tensor_value_info(n, TensorProto.FLOAT, a.shape) for n, a in zip(names, operands, strict=True)]
    node = helper.make_node(op, names, ["y"], **attributes)
    graph = helper.make_graph([node], op, inputs, [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, dict(zip(names, operands, strict=True)))[0])
