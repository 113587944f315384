"""The compiler's layer graph: what is left of an ONNX model once it is quantized, fused and laid out as NHWC.

Every tensor is int8 in memory. A uint8 ONNX tensor is stored as `value ^ 0x80` with its zero point lowered by 128, which
changes no arithmetic; the host converts at the program's inputs and outputs. The batch dimension is 1 and is left out.
"""

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from talos.io import IoSpec

__all__ = [
    "Add", "Concat", "Conv", "Graph", "HostNode", "Layer", "Lookup", "Pool", "Residual", "Resize", "TableLayer", "Tensor", "View", "operands",
]  # fmt: skip


_NO_SCALE = np.float32(0)


@dataclass(eq=False)
class Tensor:
    """An int8 activation tensor.

    `shape` is (height, width, channels); a vector of n features is (1, 1, n). `scale` is the float32 step and `zero_point`
    the int8 code of 0.0 (after the uint8 → int8 shift). `name` is the ONNX value whose quantized content this is.
    """

    name: str
    shape: tuple[int, int, int]
    scale: np.float32
    zero_point: int
    unsigned: bool = False

    @property
    def size(self) -> int:
        """Bytes."""
        return int(np.prod(self.shape))


@dataclass(eq=False)
class Layer:
    """One step of the network. `nodes` are the names of the ONNX nodes it came from; `name` is the first of them."""

    name: str
    nodes: tuple[str, ...]
    inputs: list[Tensor]
    output: Tensor

    op: ClassVar[str] = "layer"
    placed: ClassVar[bool] = False
    """It has no instructions: its output is a matter of where bytes lie."""

    @property
    def macs(self) -> int:
        """Multiply-accumulates of the ONNX operator on unpadded output positions (taps on padding count, as is usual)."""
        return 0


@dataclass(eq=False)
class TableLayer(Layer):
    """A layer whose result (int8, clamped to `low`…`high`) can go through `table` (int8[256], indexed by code + 128) at the end.

    With a table, `output` has the scale and zero point behind it and `table_scale`, `table_zero_point` those of its input: read
    `result_scale` and `result_zero_point` to requantize.
    """

    low: int = -128
    high: int = 127
    table: np.ndarray | None = None
    table_scale: np.float32 = _NO_SCALE
    table_zero_point: int = 0

    @property
    def result_scale(self) -> np.float32:
        """Scale of the result in front of the table (the output's without a table)."""
        return self.output.scale if self.table is None else self.table_scale

    @property
    def result_zero_point(self) -> int:
        """Zero point of the result in front of the table (the output's without a table)."""
        return self.output.zero_point if self.table is None else self.table_zero_point


@dataclass
class Residual:
    """An addition fused into a convolution: output = add(conv's own int8 result, `tensor`), or add(`tensor`, own result).

    `scale` and `zero_point` quantize the convolution's own result, `low` and `high` clamp it (int8 codes). `own_first` says that the
    own result is the first operand of the ONNX addition: onnxruntime's rounding is not symmetric in the two.
    """

    tensor: Tensor
    scale: np.float32
    zero_point: int
    low: int = -128
    high: int = 127
    own_first: bool = True


@dataclass(eq=False)
class Conv(TableLayer):
    """Convolution or fully connected layer: `inputs[0]` * `weight` + `bias`, requantized.

    `weight` is int8 (out_channels, kernel_h, kernel_w, in_channels / groups), zero point 0. `bias` is int32 (out_channels,) as
    ONNX has it (the input's zero point is not folded in). `multiplier` is float32 (out_channels,): scale_x·scale_w / scale_y in
    onnxruntime's order of rounding, y being the convolution's own result. `pads` are (top, left, bottom, right), filled with the
    input's zero point. The order is: requantize, residual, clamp to `low`…`high`, table.
    With a residual, `result_scale` is that of the sum, and `multiplier` leads to the residual's `scale`.

    `copy` marks a convolution that only moves data (strided Slice, channel Pad, …): weights 0 and 1, multiplier 1.
    """

    weight: np.ndarray = field(default_factory=lambda: np.zeros((0, 1, 1, 0), np.int8))
    bias: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int32))
    multiplier: np.ndarray = field(default_factory=lambda: np.zeros(0, np.float32))
    strides: tuple[int, int] = (1, 1)
    pads: tuple[int, int, int, int] = (0, 0, 0, 0)
    dilations: tuple[int, int] = (1, 1)
    groups: int = 1
    residual: Residual | None = None
    copy: bool = False

    op = "conv"

    @property
    def macs(self) -> int:
        if self.copy:
            return 0
        return int(np.prod(self.output.shape)) * int(np.prod(self.weight.shape[1:]))


@dataclass(eq=False)
class Pool(Layer):
    """Max or average pooling over `kernel` windows.

    `kind` is "max" or "average". For "average", `count_include_pad` tells the divisor; padding contributes the zero point. For "max",
    padding never wins (it is filled with -128). A global pool is a window of the whole image.
    """

    kind: str = "max"
    kernel: tuple[int, int] = (1, 1)
    strides: tuple[int, int] = (1, 1)
    pads: tuple[int, int, int, int] = (0, 0, 0, 0)
    count_include_pad: bool = False
    low: int = -128
    high: int = 127

    op = "pool"


@dataclass(eq=False)
class Add(TableLayer):
    """Element-wise addition of two tensors of equal shape, as onnxruntime's QLinearAdd computes it."""

    op = "add"


@dataclass(eq=False)
class Lookup(Layer):
    """A unary function as a table: output code = table[input code + 128], int8[256]."""

    table: np.ndarray = field(default_factory=lambda: np.zeros(256, np.int8))

    op = "lookup"


@dataclass(eq=False)
class View(Layer):
    """The same bytes under another shape (Flatten, Reshape, Squeeze of an NHWC-contiguous tensor): costs nothing."""

    op = "view"
    placed = True


@dataclass(eq=False)
class Concat(Layer):
    """The channels of all `inputs`, one behind the other: the inputs' layers write into channel slices of the output.

    Inputs have the output's scale, zero point, height and width, and are such that they can lie there (see `separate_slices`): each
    is made by a layer with instructions, is input of this layer alone, once, and is no output of the graph.
    """

    op = "concat"
    placed = True


@dataclass(eq=False)
class Resize(Layer):
    """Every pixel repeated `factors` (vertical, horizontal) times: nearest-neighbour enlargement. Factors of 1 make a copy."""

    factors: tuple[int, int] = (1, 1)

    op = "resize"


@dataclass
class HostNode:
    """A part of the network that runs on the host after the accelerator: an ONNX model fed with accelerator outputs.

    `model` is a serialized ONNX model whose inputs are the *dequantized or quantized ONNX values* named in `inputs`; `outputs` are the
    graph outputs that it produces. `reason` says why it is not on the accelerator.
    """

    nodes: tuple[str, ...]
    op_types: tuple[str, ...]
    model: bytes
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    reason: str


@dataclass
class Graph:
    """A whole network: layers in execution order between `inputs` and `outputs`.

    `input_specs[i]` and `output_specs[i]` say how the host converts between an ONNX value and `inputs[i]`, `outputs[i]`. Outputs
    are the graph outputs that the accelerator makes and whatever the parts in `host` read; a tensor may be listed twice, as two
    ONNX values. `results` are the ONNX graph's outputs in order.
    """

    name: str
    inputs: list[Tensor]
    outputs: list[Tensor]
    layers: list[Layer]
    host: list[HostNode] = field(default_factory=list)
    input_specs: list[IoSpec] = field(default_factory=list)
    output_specs: list[IoSpec] = field(default_factory=list)
    results: list[str] = field(default_factory=list)

    def producer(self, tensor: Tensor) -> Layer | None:
        """The layer that writes `tensor`; None for an input."""
        return next((layer for layer in self.layers if layer.output is tensor), None)

    def readers(self, tensor: Tensor) -> list[Layer]:
        """The layers that read `tensor`, once for each operand that it is."""
        return [layer for layer in self.layers for operand in operands(layer) if operand is tensor]


def operands(layer: Layer) -> list[Tensor]:
    """All tensors that `layer` reads: its inputs, then the residual of a convolution."""
    residual = layer.residual if isinstance(layer, Conv) else None
    return [*layer.inputs, residual.tensor] if residual else list(layer.inputs)
