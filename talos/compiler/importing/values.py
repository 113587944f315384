"""What an ONNX value is while the graph is imported: constants, quantized activations, and float results waiting for their scale.

Where the elements of an activation lie is an integer array of the ONNX value's shape: entry = position of that element among the bytes
of its tensor (height, width, channels), or -1 for an element that is 0.0 and stored nowhere (padding). Transpose, Reshape, Slice and
Pad of an activation then are the same NumPy operations on this array, and cost nothing until a layer needs other bytes.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from talos.compiler.graph.index import Index
from talos.compiler.graph.ir import Layer, Tensor
from talos.compiler.importing.float_function import FloatFunction

__all__ = [
    "Activation",
    "Constant",
    "Feed",
    "Pending",
    "PendingFunction",
    "QuantizedConstant",
    "Value",
]


@dataclass(frozen=True)
class Constant:
    """A constant of any type."""

    array: npt.NDArray[Any]


@dataclass(frozen=True)
class QuantizedConstant:
    """DequantizeLinear of a constant: `(codes - zero_point) * scale`, scale and zero point already shaped to broadcast."""

    codes: npt.NDArray[np.integer]
    scale: npt.NDArray[np.float32]
    zero_point: npt.NDArray[np.integer]


@dataclass
class Feed:
    """A graph input. Its bytes are in ONNX order until the first layer that reads it decides what is height, width and channels.

    `tensor` is made when the first Quantize- or DequantizeLinear gives the scale; `order[p]` is the ONNX position of byte p of the
    tensor, known once it is laid out.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    tensor: Tensor | None = None
    order: Index | None = None


@dataclass(frozen=True)
class Activation:
    """A quantized activation: its integer codes, or (`real`) the float value that they stand for.

    `source` is a tensor in memory, or a feed, whose `index` then counts in ONNX order of the fed value. A feed that no Quantize- or
    DequantizeLinear has reached yet has no scale. `nodes` are the ONNX nodes that `index` stands for since the last layer.
    """

    source: Tensor | Feed
    index: Index
    real: bool
    nodes: tuple[str, ...] = ()

    @property
    def shape(self) -> tuple[int, ...]:
        """The ONNX shape."""
        return self.index.shape

    @property
    def tensor(self) -> Tensor | None:
        """Scale, zero point and memory; None for a feed without a scale."""
        return self.source if isinstance(self.source, Tensor) else self.source.tensor


@dataclass(frozen=True)
class Pending:
    """A float result that is not in memory: QuantizeLinear behind it gives the scale and makes it a layer.

    `shape` is that of the tensor-to-be, `index` the ONNX order in it. `nodes` are the ONNX nodes so far, `lower` and `upper` the
    bounds that Relu and Clip put on it. `finish(nodes, output, low, high)` makes the layer. `with_bias(nodes, constant)` adds a constant
    per output channel (the Add behind a MatMul); None where there is no room for one.
    """

    nodes: tuple[str, ...]
    shape: tuple[int, int, int]
    index: Index
    finish: Callable[[tuple[str, ...], Tensor, int, int], Layer]
    with_bias: "Callable[[tuple[str, ...], Constant | QuantizedConstant], Pending] | None" = None
    lower: float = -np.inf
    upper: float = np.inf

    def bounded(self, node: str, lower: float, upper: float) -> "Pending":
        """The same, clamped to [`lower`, `upper`] by the ONNX node `node`."""
        low, high = (float(np.clip(bound, lower, upper)) for bound in (self.lower, self.upper))
        return replace(self, nodes=(*self.nodes, node), lower=low, upper=high, with_bias=None)


@dataclass(frozen=True)
class PendingFunction:
    """A float function of one quantized activation, element by element, which QuantizeLinear behind it will make a table.

    `operand` is the activation, its index in the order of the result. `nodes` are the names of the ONNX nodes so far.
    """

    nodes: tuple[str, ...]
    operand: Activation
    function: FloatFunction

    @property
    def index(self) -> Index:
        """Where the elements of the result lie, were it in memory as the operand is."""
        return self.operand.index


Value = Constant | QuantizedConstant | Activation | Pending | PendingFunction
