"""Random layers: every field of the compiler's layers within the sizes that a configuration's memories and a short run allow."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from talos.compiler.graph.ir import Binary, Conv, Layer, Lookup, Pool, Residual, Tensor
from talos.compiler.graph.rearrange import copy_of
from talos.config import AcceleratorConfig
from talos.numerics import PairOperation
from talos.reference import output_size

__all__ = ["Layers", "Limits"]

Pair = tuple[int, int]
Pads = tuple[int, int, int, int]


@dataclass(frozen=True)
class Limits:
    """What a layer may need: array cycles, bytes of the part of its input that one output row (pooling) or pixel (convolution) reads."""

    cycles: int
    window_bytes: int

    @classmethod
    def of(cls, config: AcceleratorConfig, cycles: int) -> "Limits":
        """A third of activation memory for a window leaves room for the output, a second operand and what alignment takes."""
        return cls(cycles, max(64, config.activation_bytes // 3 - 4 * config.line_bytes))


@dataclass
class Layers:
    """Draws layers from `rng` for `config`. All tensors are of one ONNX type, uint8 if `unsigned`, as additions need."""

    rng: np.random.Generator
    config: AcceleratorConfig
    limits: Limits
    unsigned: bool = False
    features: set[str] = field(default_factory=set)
    _names: int = 0

    def tensor(self, shape: tuple[int, int, int]) -> Tensor:
        """A new tensor with random quantization; scales lie within a factor of 64 of each other, so that any two can be added."""
        self._names += 1
        scale = np.float32(2.0 ** self.rng.uniform(-8, -2))
        return Tensor(f"t{self._names}", shape, scale, self._zero_point(), self.unsigned)

    def image(self, tensor: Tensor) -> npt.NDArray[np.int8]:
        """Codes for `tensor`: all of them, or few different ones, the extremes among them."""
        if self.chance(0.2):
            return self.rng.choice(np.array([-128, -1, 0, 127], np.int8), tensor.shape)
        return self.rng.integers(-128, 128, tensor.shape).astype(np.int8)

    def conv(self, x: Tensor | None = None, others: Sequence[Tensor] = ()) -> Conv | None:
        """A convolution of `x` (or of a new tensor); None if what was drawn does not fit `x` or the limits.

        A quarter has a residual: one of `others` if the shape is right, else a new tensor.
        """
        channels = x.shape[2] if x else self._channels()
        groups = self._groups(channels)
        outputs = groups * max(1, self._channels() // groups) if groups < channels or self.chance(0.3) else channels
        kernel = self._pair(7, 0.5)
        strides, dilations = self._pair(3, 0.6), self._pair(3, 0.75)
        extent = ((kernel[0] - 1) * dilations[0] + 1, (kernel[1] - 1) * dilations[1] + 1)
        pads = self._pads(extent, beyond=0.05)
        size = x.shape[:2] if x else self._input_size(extent, strides, pads)
        out = self._output(size, extent, strides, pads)
        tiles = self._tiles(channels, outputs, groups, kernel)
        if out is None or out[0] * out[1] * tiles > self.limits.cycles:
            return None
        if extent[0] * extent[1] * channels > self.limits.window_bytes:
            return None
        x = x or self.tensor((*size, channels))
        y = self.tensor((*out, outputs))
        name = f"conv_{y.name}"
        layer = Conv(name, (name,), [x], y, strides=strides, pads=pads, dilations=dilations, groups=groups)
        layer.weight = self.rng.integers(-128, 128, (outputs, *kernel, channels // groups)).astype(np.int8)
        if self.chance(0.2):
            layer.weight[self.rng.random(layer.weight.shape) < 0.9] = 0
        spread = 5000.0 * np.sqrt(layer.weight[0].size)
        layer.bias = self.rng.normal(0, spread, outputs).astype(np.int32)
        layer.multiplier = (2.0 ** self.rng.uniform(-3, 2, outputs) * 40 / spread).astype(np.float32)
        if self.chance(0.1):
            layer.multiplier = (2.0 ** self.rng.uniform(-40, 2, outputs)).astype(np.float32)
        self._note_conv(layer)
        layer.low, layer.high = self._bounds()
        self._table(layer)
        if self.config.residual and self.chance(0.25):
            self._fuse(layer, next((other for other in (*others, x) if other.shape == y.shape), None) or self._operand(y.shape))
        return layer

    def pool(self, x: Tensor | None = None) -> Pool | None:
        """A pooling of `x` (or of a new tensor); None if it does not fit. Every window holds at least one value of the image."""
        channels = x.shape[2] if x else self._channels()
        kind = str(self.rng.choice(["max", "average"]))
        kernel, strides, dilations = self._pair(5, 0.2), self._pair(3, 0.4), (1, 1)
        pads = self._pads(kernel)
        if kind == "max" and self.chance(0.2):
            dilations, pads = self._pair(3, 0.3), (0, 0, 0, 0)
        extent = ((kernel[0] - 1) * dilations[0] + 1, (kernel[1] - 1) * dilations[1] + 1)
        size = x.shape[:2] if x else self._input_size(extent, strides, pads)
        if self.chance(0.15):
            kernel, dilations, extent, pads = size, (1, 1), size, (0, 0, 0, 0)
        out = self._output(size, extent, strides, pads)
        rows = strides[0] + 2 * max(extent[0], strides[0]) + 1
        if out is None or rows * max(size[1], out[1]) * min(channels, self.config.cols) > self.limits.window_bytes:
            return None
        blocks = -(-channels // self.config.cols) * (self.config.cols // self.config.lanes)
        if out[0] * out[1] * kernel[0] * kernel[1] * blocks > self.limits.cycles:
            return None
        x = x or self.tensor((*size, channels))
        y = self.tensor((*out, channels))
        if kind == "max":
            y.scale, y.zero_point = x.scale, x.zero_point
        include = kind == "average" and any(pads) and self.chance(0.5)
        low, high = self._bounds()
        self.features |= {f"{kind} pool"} | ({"count_include_pad"} if include else set())
        self.features |= {"dilated pool"} if max(dilations) > 1 else set()
        self.features |= {"global pool"} if kernel == size and not any(pads) else set()
        name = f"pool_{y.name}"
        return Pool(name, (name,), [x], y, kind, kernel, strides, pads, dilations, include, low=low, high=high)

    def pair(self, a: Tensor | None = None, b: Tensor | None = None) -> Binary:
        """Sum, difference or product of `a` and `b` (new tensors if not given), in either order.

        A new second tensor may be one pixel that is the same for all pixels of the first, a constant, or both.
        """
        a = a or b or self.tensor(self._flat_shape())
        y = self.tensor(a.shape)
        operands = [a, b or self._operand(a.shape)]
        if self.chance(0.3):
            operands.reverse()
        function, kernel = self._function()
        layer = Binary(f"{function}_{y.name}", (f"{function}_{y.name}",), operands, y, function=function, kernel=kernel)
        layer.low, layer.high = self._bounds()
        self._table(layer)
        if function == "multiply":
            scale = np.float32(operands[0].scale * operands[1].scale * 2.0 ** self.rng.uniform(4, 9))
            if layer.table is None:
                y.scale = scale
            else:
                layer.table_scale = scale
        return layer

    def unary(self, x: Tensor | None = None, y: Tensor | None = None) -> Layer:
        """A random table from `x` to `y` (new tensors if not given), or a copy if the configuration has no tables."""
        x = x or self.tensor(y.shape if y else self._flat_shape())
        y = y or self.tensor(x.shape)
        if self.config.lookup:
            self.features.add("lookup")
            return Lookup(f"lookup_{y.name}", (f"lookup_{y.name}",), [x], y, self._codes())
        self.features.add("copy")
        y.scale, y.zero_point = x.scale, x.zero_point
        return copy_of(f"copy_{y.name}", (f"copy_{y.name}",), x, y)

    def other(self, x: Tensor | None = None) -> Layer:
        """A layer of the vector unit alone, of the kinds that the configuration can execute."""
        kind = int(self.rng.integers(5))
        if self.config.pool and kind > 1:
            for _ in range(20):
                layer = self.pool(x)
                if layer is not None:
                    return layer
        if self.config.residual and kind > 0:
            return self.pair(x)
        return self.unary(x)

    def chance(self, probability: float) -> bool:
        return bool(self.rng.random() < probability)

    def _channels(self) -> int:
        return int(self.rng.integers(1, 41))

    def _pair(self, high: int, ones: float) -> Pair:
        """Two numbers from 1 to `high`, often equal; each is 1 with probability `ones` or more."""
        first, second = (1 if self.chance(ones) else int(self.rng.integers(1, high + 1)) for _ in range(2))
        return (first, first) if self.chance(0.4) else (first, second)

    def _zero_point(self) -> int:
        return int(self.rng.choice([-128, 127, 0])) if self.chance(0.3) else int(self.rng.integers(-128, 128))

    def _codes(self) -> npt.NDArray[np.int8]:
        return self.rng.integers(-128, 128, 256).astype(np.int8)

    def _bounds(self) -> Pair:
        """Clamp limits: none, a lower one as ReLU has, or any."""
        if self.chance(0.5):
            return -128, 127
        low, high = sorted(int(code) for code in self.rng.integers(-128, 128, 2))
        return (low, high) if self.chance(0.5) else (low, 127)

    def _fuse(self, layer: Conv, other: Tensor) -> None:
        low, high = self._bounds()
        scale, zero_point = np.float32(2.0 ** self.rng.uniform(-8, -2)), self._zero_point()
        function, kernel = self._function()
        layer.residual = Residual(other, scale, zero_point, low, high, self.chance(0.5), function, kernel)
        if function == "multiply":
            result = np.float32(scale * other.scale * 2.0 ** self.rng.uniform(4, 9))
            if layer.table is None:
                layer.output.scale = result
            else:
                layer.table_scale = result
        self.features.add("residual")

    def _function(self) -> tuple[PairOperation, bool]:
        """An operation of two tensors that the configuration can execute, and whether onnxruntime has an integer kernel of it."""
        functions: list[PairOperation] = ["add", "subtract", "multiply"]
        function = functions[int(self.rng.integers(3 if self.config.multiply else 2))]
        kernel = function != "subtract" and self.chance(0.7)
        self.features |= {function} | (set() if kernel else {"float formula"})
        return function, kernel

    def _operand(self, shape: tuple[int, int, int]) -> Tensor:
        """A new second operand for a tensor of `shape`."""
        tensor = self.tensor((1, 1, shape[2]) if self.chance(0.35) else shape)
        if self.chance(0.3):
            tensor.data = self.image(tensor)
        facts = {"broadcast": tensor.shape != shape, "constant operand": tensor.data is not None}
        self.features |= {name for name, holds in facts.items() if holds}
        return tensor

    def _table(self, layer: Conv | Binary) -> None:
        if self.config.lookup and self.chance(0.25):
            layer.table = self._codes()
            layer.table_scale, layer.table_zero_point = np.float32(2.0 ** self.rng.uniform(-8, -2)), self._zero_point()
            self.features.add("table")

    def _pads(self, extent: Pair, beyond: float = 0.0) -> Pads:
        """Padding less than the window's extent; with probability `beyond` more, so that whole windows lie in it."""
        if self.chance(0.4):
            return 0, 0, 0, 0
        more = 4 if self.chance(beyond) else 0
        top, left, bottom, right = (int(self.rng.integers(0, extent[axis % 2] + more)) for axis in range(4))
        return top, left, bottom, right

    def _input_size(self, extent: Pair, strides: Pair, pads: Pads) -> Pair:
        """An input for a random number of output positions."""
        sizes = []
        for axis in range(2):
            positions = int(self.rng.integers(1, 25)) if self.chance(0.8) else int(self.rng.integers(1, 80))
            spare = int(self.rng.integers(0, strides[axis]))
            sizes.append(max(1, (positions - 1) * strides[axis] + extent[axis] + spare - pads[axis] - pads[axis + 2]))
        return sizes[0], sizes[1]

    def _flat_shape(self) -> tuple[int, int, int]:
        """A tensor for element-wise layers; rarely one with wide rows or many channels, which are cut into pieces."""
        if self.chance(0.15):
            sizes = np.array([1, self.rng.integers(1, 4), self.rng.integers(500, 3000)])
            height, width, channels = (int(size) for size in self.rng.permutation(sizes))
            return height, width, channels
        return int(self.rng.integers(1, 20)), int(self.rng.integers(1, 40)), self._channels()

    @staticmethod
    def _output(size: Pair, extent: Pair, strides: Pair, pads: Pads) -> Pair | None:
        """Output size, or None if not one window fits."""
        if any(size[axis] + pads[axis] + pads[axis + 2] < extent[axis] for axis in range(2)):
            return None
        height, width = (output_size(size[axis], extent[axis], strides[axis], pads[axis], pads[axis + 2]) for axis in range(2))
        return height, width

    def _groups(self, channels: int) -> int:
        if self.chance(0.6):
            return 1
        if self.chance(0.5):
            return channels
        return int(self.rng.choice([n for n in range(1, channels + 1) if channels % n == 0]))

    def _tiles(self, channels: int, outputs: int, groups: int, kernel: Pair) -> int:
        """Weight tiles of a whole convolution, or somewhat more."""
        rows, cols = self.config.rows, self.config.cols
        taps = kernel[0] * kernel[1]
        share = outputs // groups
        if cols % share == 0:
            window = min(channels, cols // share * channels // groups)
            return -(-outputs // cols) * taps * -(-window // rows)
        return groups * -(-share // cols) * taps * -(-(channels // groups) // rows)

    def _note_conv(self, layer: Conv) -> None:
        outputs, kernel_h, kernel_w, depth = layer.weight.shape
        extent = ((kernel_h - 1) * layer.dilations[0] + 1, (kernel_w - 1) * layer.dilations[1] + 1)
        facts = {
            "conv": True,
            "depthwise": layer.groups > 1 and depth == 1 and outputs == layer.groups,
            "groups": layer.groups > 1,
            "rectangular": kernel_h != kernel_w,
            "strided": max(layer.strides) > 1,
            "dilated": max(layer.dilations) > 1,
            "asymmetric pads": layer.pads[:2] != layer.pads[2:],
            "wide pads": any(layer.pads[axis] >= extent[axis % 2] for axis in range(4)),
        }
        self.features |= {name for name, holds in facts.items() if holds}
