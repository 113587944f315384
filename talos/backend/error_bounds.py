"""How far int8 quantization may move the results of a float model: a bound for every element, from the scales of its QDQ form.

Let x be a value of the float model and x̂ the one of the QDQ model; each value has a bound e with |x̂ - x| ≤ e. By node:

- fed inputs and plain constants: e = 0. Dequantized constants (weights, biases): e = s / 2, half a step of their scale.
- QuantizeLinear of an activation: e + s, one step of its scale s: half for rounding to the grid, half for what an integer kernel rounds
  differently in front of it. Clipping adds nothing, for the range was calibrated with the same inputs and holds x.
- y = Σ x·w + b (Conv, ConvTranspose, Gemm, MatMul): e_y = Σ (|x̂|·e_w + e_x·|ŵ| + e_x·e_w) + e_b.
- Mul: |x̂|·e_w + e_x·|ŵ| + e_x·e_w. Add, Sub: e_x + e_w. Means and other sums of one operand with positive weights: the same sum of e.
- MaxPool: the largest e of the window, for |max a - max b| ≤ max |a - b|. Data movement: e is moved.
- f(x) for a function f: L·e with its Lipschitz constant L = max |f'|.
- Softmax: max e / 2 along its axis (the rows of its Jacobian have an absolute sum of 2·p·(1 - p) ≤ 1/2); LogSoftmax: 2·max e.

All sums are computed by onnxruntime, with the node itself on absolute values.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from talos.backend.session import run_plainly
from talos.compiler.reading.expose_values import expose_values
from talos.errors import TalosError

__all__ = ["error_bounds"]

Array = NDArray[np.float64]
Bounds = dict[str, Array]
Values = dict[str, NDArray[Any]]

_PRODUCTS = ("Conv", "ConvTranspose", "Gemm", "MatMul")
_POSITIVE = (  # of one operand: sums with positive weights, windows' maxima, and data movement
    "AveragePool", "DepthToSpace", "Dropout", "Expand", "Flatten", "Gather", "GlobalAveragePool", "GlobalMaxPool", "Identity", "MaxPool",
    "ReduceMax", "ReduceMean", "ReduceSum", "Reshape", "Resize", "Slice", "SpaceToDepth", "Split", "Squeeze", "Tile", "Transpose",
    "Unsqueeze", "Upsample",
)  # fmt: skip
_EXACT = ("ArgMax", "ArgMin", "Cast", "Shape")

_SELU = 1.0507009873554805 * 1.6732632423543772
_LIPSCHITZ: dict[str, Callable[[Mapping[str, float]], float]] = {
    "Abs": lambda _: 1.0,
    "Celu": lambda _: 1.0,
    "Clip": lambda _: 1.0,
    "Elu": lambda given: max(1.0, abs(given.get("alpha", 1.0))),
    "Gelu": lambda _: 1.13,
    "HardSigmoid": lambda given: abs(given.get("alpha", 0.2)),
    "HardSwish": lambda _: 1.5,
    "LeakyRelu": lambda given: max(1.0, abs(given.get("alpha", 0.01))),
    "Mish": lambda _: 1.09,
    "Neg": lambda _: 1.0,
    "Relu": lambda _: 1.0,
    "Selu": lambda given: max(1.0, abs(given.get("gamma", 1.0507) * given.get("alpha", 1.67326)) if given else _SELU),
    "Sigmoid": lambda _: 0.25,
    "Softplus": lambda _: 1.0,
    "Softsign": lambda _: 1.0,
    "Swish": lambda given: 1.1 * max(1.0, abs(given.get("alpha", 1.0))),
    "Tanh": lambda _: 1.0,
}
"""max |f'| by the attributes given; of Gelu, Mish and Swish rounded up from 1.129, 1.0885 and 1.0998."""

_ROOM = 1 + 2.0**-20
"""Bounds are computed in float32: its rounding must not make them too small."""


def error_bounds(model: bytes, feeds: Mapping[str, NDArray[Any]]) -> Bounds:
    """The bound of every output of the serialized QDQ `model` for one image, by name; shapes as the outputs.

    `feeds` must be among the inputs that the model was calibrated with. Raises TalosError for an operator with no rule.
    """
    proto = onnx.load_model_from_string(model)
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in proto.graph.initializer}
    names = [name for node in proto.graph.node for name in node.output if name]
    values: Values = {**constants, **feeds, **run_plainly(expose_values(model, names), feeds, names)}
    opset = list(proto.opset_import)
    bounds: Bounds = {}
    for node in proto.graph.node:
        _propagate(_Node(node, values, bounds, constants, opset))
    return {output.name: bounds.get(output.name, np.zeros(values[output.name].shape)) for output in proto.graph.output}


class _Node:
    """A node with the values and bounds of its inputs."""

    def __init__(
        self, proto: onnx.NodeProto, values: Values, bounds: Bounds, constants: Values, opset: list[onnx.OperatorSetIdProto]
    ) -> None:
        self.proto = proto
        self.op = proto.op_type
        self.values = values
        self.bounds = bounds
        self.opset = opset
        self.constant = proto.input[0] in constants if proto.input else True
        self.attributes = {attribute.name: helper.get_attribute_value(attribute) for attribute in proto.attribute}

    def value(self, position: int) -> NDArray[Any]:
        return self.values[self.proto.input[position]]

    def bound(self, position: int) -> Array:
        """Of one input; 0 where it has no error."""
        name = self.proto.input[position]
        return self.bounds[name] if name in self.bounds else np.zeros(np.shape(self.values[name]))

    def set(self, *bounds: Array) -> None:
        """The bounds of the outputs."""
        for name, bound in zip(self.proto.output, bounds, strict=False):
            if name:
                self.bounds[name] = np.asarray(bound, np.float64)

    def apply(self, arrays: Mapping[int, NDArray[Any]], keep: int | None = None) -> list[Array]:
        """Run the node with `arrays` in place of its inputs, and only its first `keep` inputs; the first result is what counts."""
        used = [name if keep is None or position < keep else "" for position, name in enumerate(self.proto.input)]
        feeds = {f"i{p}": np.asarray(arrays.get(p, self.values[name])) for p, name in enumerate(used) if name}
        feeds = {name: array.astype(np.float32) if array.dtype == np.float64 else array for name, array in feeds.items()}
        node = onnx.NodeProto()
        node.CopyFrom(self.proto)
        del node.input[:], node.output[:]
        node.input.extend(f"i{p}" if name else "" for p, name in enumerate(used))
        while node.input and not node.input[-1]:
            node.input.pop()
        outputs = [f"o{p}" if name else "" for p, name in enumerate(self.proto.output)]
        node.output.extend(outputs)
        for attribute in node.attribute:
            if attribute.name in ("alpha", "beta") and self.op == "Gemm":
                attribute.f = abs(attribute.f)
        inputs = [
            helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)
            for name, array in feeds.items()
        ]
        graph = helper.make_graph([node], "node", inputs, [onnx.ValueInfoProto(name=name) for name in outputs if name])
        model = helper.make_model(graph, opset_imports=self.opset, ir_version=8)
        results = run_plainly(model.SerializeToString(), feeds, [name for name in outputs if name])
        return [result.astype(np.float64) * _ROOM for result in results.values()]


def _propagate(node: _Node) -> None:
    """Set the bounds of the node's outputs."""
    op = node.op
    if op == "QuantizeLinear":
        step = _per_channel(node, 1)
        node.set(node.bound(0) + (step / 2 if node.constant else step))
    elif op == "DequantizeLinear":
        node.set(node.bound(0) + (_per_channel(node, 1) / 2 if node.constant else 0))
    elif op in _PRODUCTS:
        _product(node)
    elif op in _POSITIVE:
        node.set(*node.apply({0: node.bound(0)}))
    elif op == "Pad":
        filled = {2: np.zeros_like(node.value(2))} if len(node.proto.input) > 2 and node.proto.input[2] else {}
        node.set(*node.apply({0: node.bound(0)} | filled))
    elif op == "Concat":
        node.set(*node.apply({position: node.bound(position) for position in range(len(node.proto.input))}))
    elif op in ("Add", "Sub"):
        node.set(node.bound(0) + node.bound(1))
    elif op == "Mul":
        (x, y), (e, f) = [node.value(0), node.value(1)], [node.bound(0), node.bound(1)]
        node.set(np.abs(x) * f + e * np.abs(y) + e * f)
    elif op == "PRelu":
        e, f = node.bound(0), node.bound(1)
        node.set(e * np.maximum(1, np.abs(node.value(1)) + f) + np.abs(node.value(0)) * f)
    elif op in ("Softmax", "LogSoftmax"):
        largest = node.bound(0).max(axis=int(node.attributes.get("axis", -1)), keepdims=True)
        node.set(np.broadcast_to(largest * (0.5 if op == "Softmax" else 2), node.value(0).shape))
    elif op in _LIPSCHITZ:
        node.set(node.bound(0) * _LIPSCHITZ[op](node.attributes))
    elif not any(name in node.bounds and node.bounds[name].any() for name in node.proto.input):
        return  # computed from what has no error
    elif op not in _EXACT:
        raise TalosError(f"node '{node.proto.name or op}' ({op}): the error of quantization in front of it has no known bound")


def _per_channel(node: _Node, position: int) -> Array:
    """The scale of a Quantize- or DequantizeLinear, shaped to broadcast over its operand."""
    scale, rank = np.asarray(node.value(position), np.float64), np.ndim(node.value(0))
    if scale.ndim != 1 or scale.size == 1:
        return scale.reshape(()) if scale.size == 1 else scale
    shape = [1] * rank
    shape[int(node.attributes.get("axis", 1))] = scale.size
    return scale.reshape(shape)


def _product(node: _Node) -> None:
    """e = Σ (|x|·e_w + e_x·|w| + e_x·e_w) + e_b."""
    x, w, e, f = np.abs(node.value(0)), np.abs(node.value(1)), node.bound(0), node.bound(1)
    bias = len(node.proto.input) > 2 and bool(node.proto.input[2])
    total = node.apply({0: x, 1: f} | ({2: node.bound(2)} if bias else {}))[0]
    total = total + node.apply({0: e, 1: w + f}, keep=2)[0]
    node.set(total)
