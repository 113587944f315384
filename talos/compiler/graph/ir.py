"""The compiler's layer graph: what is left of an ONNX model once it is quantized, fused and laid out as NHWC.

Every tensor is int8 in memory. A uint8 ONNX tensor is stored as `value ^ 0x80` with its zero point lowered by 128, which
changes no arithmetic; the host converts at the program's inputs and outputs. The batch dimension is 1 and is left out.
"""

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from talos.io import InputSpec, IoSpec
from talos.numerics import PairOperation
from talos.program import HostPart

__all__ = [
    "Binary", "Concat", "Conv", "Graph", "Layer", "Lookup", "Loop", "Move", "OnnxValue", "Pool", "Position", "Rearrange", "Residual",
    "TableLayer", "Tensor", "View", "is_broadcast", "operands",
]  # fmt: skip


_NO_SCALE = np.float32(0)


@dataclass(eq=False)
class Tensor:
    """An int8 tensor: an activation, or a constant if it has `data`.

    `shape` is (height, width, channels); a vector of n features is (1, 1, n). `scale` is the float32 step and `zero_point`
    the int8 code of 0.0 (after the uint8 → int8 shift). `name` is the ONNX value whose quantized content this is. A constant's
    `data` has the tensor's shape; no layer makes it, layers read it like any other operand.
    """

    name: str
    shape: tuple[int, int, int]
    scale: np.float32
    zero_point: int
    unsigned: bool = False
    data: npt.NDArray[np.int8] | None = None

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

    placed: ClassVar[bool] = False
    """It has no instructions: its output is a matter of where bytes lie."""

    @property
    def op(self) -> str:
        """The kind of layer, for reports."""
        return "layer"

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
    """A `Binary` fused into a convolution: its operands are the convolution's own int8 result and `tensor`.

    `scale` and `zero_point` quantize the convolution's own result, `low` and `high` clamp it (int8 codes). `own_first` says that the
    own result is the first operand. `tensor` has the convolution's output shape or is (1, 1, channels); `function` and `kernel` are
    the Binary's.
    """

    tensor: Tensor
    scale: np.float32
    zero_point: int
    low: int = -128
    high: int = 127
    own_first: bool = True
    function: PairOperation = "add"
    kernel: bool = True


@dataclass(eq=False)
class Conv(TableLayer):
    """Convolution or fully connected layer: `inputs[0]` * `weight` + `bias`, requantized.

    `weight` is int8 (out_channels, kernel_h, kernel_w, in_channels / groups), zero point 0. `bias` is int32 (out_channels,) as
    ONNX has it (the input's zero point is not folded in). `multiplier` is float32 (out_channels,): scale_x·scale_w / scale_y in
    onnxruntime's order of rounding, y being the convolution's own result. `pads` are (top, left, bottom, right), filled with the
    input's zero point. The order is: requantize, residual, clamp to `low`…`high`, table.
    With a residual, `result_scale` is that of the sum, and `multiplier` leads to the residual's `scale`.

    `original` is the layer that this one repeats for another image (see `repeat_graph`): they share weights and parameters in memory.
    """

    weight: np.ndarray = field(default_factory=lambda: np.zeros((0, 1, 1, 0), np.int8))
    bias: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int32))
    multiplier: np.ndarray = field(default_factory=lambda: np.zeros(0, np.float32))
    strides: tuple[int, int] = (1, 1)
    pads: tuple[int, int, int, int] = (0, 0, 0, 0)
    dilations: tuple[int, int] = (1, 1)
    groups: int = 1
    residual: Residual | None = None
    original: "Conv | None" = None

    op = "conv"

    @property
    def macs(self) -> int:
        return int(np.prod(self.output.shape)) * int(np.prod(self.weight.shape[1:]))


@dataclass(eq=False)
class Pool(Layer):
    """Max or average pooling, or sums, over windows of `kernel` values, `dilations` apart.

    `kind` is "max", "average" or "sum". For "average", `count_include_pad` tells the divisor, onnxruntime's: with it, all of the kernel;
    padding contributes the zero point. For "max", padding never wins (it is filled with -128). For "sum", the windows lie side by side
    without padding, and their sum is divided by `divisor`: a mean that is rounded before the zero point is added, unlike an average.
    A global pool is a window of the whole image.
    """

    kind: str = "max"
    kernel: tuple[int, int] = (1, 1)
    strides: tuple[int, int] = (1, 1)
    pads: tuple[int, int, int, int] = (0, 0, 0, 0)
    dilations: tuple[int, int] = (1, 1)
    count_include_pad: bool = False
    divisor: int = 1
    low: int = -128
    high: int = 127

    op = "pool"


@dataclass(eq=False)
class Binary(TableLayer):
    """An element-wise operation of two tensors: `function` is "add", "subtract" or "multiply".

    `inputs` are the first and second operand; onnxruntime's rounding is not symmetric in the two. Each has the output's shape or is
    (1, 1, channels), which is broadcast over the other's pixels. `kernel` says that onnxruntime computes it by its integer kernels
    (QLinearAdd, QLinearMul): all three tensors int8, or all uint8; without it, dequantized in float32 and quantized again.
    """

    function: PairOperation = "add"
    kernel: bool = True

    @property
    def op(self) -> str:
        return self.function


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


Position = tuple[int, int, int]
"""Row, column and channel of a tensor, or a distance in rows, columns and channels."""


@dataclass(frozen=True)
class Loop:
    """`count` copies that follow each other: from one to the next, the place that is read moves by `source`, the one written by `target`.

    `target` is along one axis only, forwards.
    """

    count: int
    source: Position
    target: Position


@dataclass(frozen=True)
class Move:
    """Copies of `channels` consecutive bytes from `source` of input `operand` to `target` of the output, for all steps of all `loops`.

    Without an operand, `value` is written instead.
    """

    operand: int | None
    source: Position
    target: Position
    channels: int
    loops: tuple[Loop, ...] = ()
    value: int = 0


@dataclass(eq=False)
class Rearrange(TableLayer):
    """Data movement: each byte of the output is a byte of an input, or a constant, as `moves` say.

    Moves are made one after another: a later one may overwrite what an earlier one wrote. Together they write every byte. Inputs have
    equal scales and zero points. Values are clamped to `low`…`high` and go through the table on their way.
    """

    moves: tuple[Move, ...] = ()

    op = "rearrange"


@dataclass(frozen=True)
class OnnxValue:
    """Where the ONNX value `name` lies: element e is byte `index[e]` of `tensor` (-1: it is 0.0 and stored nowhere).

    `index` has the value's ONNX shape. `real` says that the value is the float which the codes stand for.
    """

    name: str
    tensor: Tensor
    index: npt.NDArray[np.int32]
    real: bool


@dataclass
class Graph:
    """A whole network: layers in execution order between `inputs` and `outputs`.

    `input_specs[i]` and `output_specs[i]` say how the host converts between an ONNX value and `inputs[i]`, `outputs[i]`. Outputs
    are the graph outputs that the accelerator makes and whatever the parts in `host` read; a tensor may be listed twice, as two
    ONNX values. `feeds` are the ONNX graph's inputs, `results` its outputs in order; see `talos.program.Program`. `values` says where
    the computed ONNX values lie. With a `batch` above 1 the layers, `inputs` and `outputs` are there for each image, one after another.
    """

    name: str
    inputs: list[Tensor]
    outputs: list[Tensor]
    layers: list[Layer]
    host: list[HostPart] = field(default_factory=list)
    input_specs: list[IoSpec] = field(default_factory=list)
    output_specs: list[IoSpec] = field(default_factory=list)
    results: list[str] = field(default_factory=list)
    feeds: list[InputSpec] = field(default_factory=list)
    values: list[OnnxValue] = field(default_factory=list)
    batch: int = 1

    def producer(self, tensor: Tensor) -> Layer | None:
        """The layer that writes `tensor`; None for an input."""
        return next((layer for layer in self.layers if layer.output is tensor), None)

    def readers(self, tensor: Tensor) -> list[Layer]:
        """The layers that read `tensor`, once for each operand that it is."""
        return [layer for layer in self.layers for operand in operands(layer) if operand is tensor]


def is_broadcast(tensor: Tensor, output: Tensor) -> bool:
    """Whether an element-wise layer that makes `output` reads the only pixel of its operand `tensor` for all of its pixels."""
    return tensor.shape[:2] == (1, 1) and output.shape[:2] != (1, 1)


def operands(layer: Layer) -> list[Tensor]:
    """All tensors that `layer` reads: its inputs, then the residual of a convolution."""
    residual = layer.residual if isinstance(layer, Conv) else None
    return [*layer.inputs, residual.tensor] if residual else list(layer.inputs)
