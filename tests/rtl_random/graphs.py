"""Small random networks: branches, joins, reshapes, tensors with several readers and outputs in the middle."""

from collections.abc import Callable
from dataclasses import dataclass, field

from talos.compiler.ir import Concat, Conv, Layer, Resize, Tensor, View
from tests.rtl_random.layers import Layers

__all__ = ["network"]

LAYERS = (3, 7)


def network(layers: Layers) -> list[Layer]:
    """A chain of layers, each of which reads one of the latest tensors; some read an older one too."""
    while (first := layers.conv()) is None:
        continue
    net = _Network(layers, [first])
    length = int(layers.rng.integers(LAYERS[0], LAYERS[1] + 1))
    while len(net.chain) < length:
        tensors = [layer.output for layer in net.chain]
        x = tensors[-1] if layers.chance(0.7) else tensors[int(layers.rng.integers(len(tensors)))]
        choices: list[Callable[[Tensor], None]] = [*[net.conv] * 5, net.other, net.add, net.view, net.concat, net.resize]
        choices[int(layers.rng.integers(len(choices)))](x)
    return net.chain


@dataclass
class _Network:
    """Each method appends layers that read `x`, or none if what was drawn does not fit."""

    layers: Layers
    chain: list[Layer] = field(default_factory=list)

    def conv(self, x: Tensor) -> None:
        layer = self.layers.conv(x, [earlier.output for earlier in reversed(self.chain)])
        self.chain += [layer] if layer else []

    def other(self, x: Tensor) -> None:
        self.chain.append(self.layers.other(x))

    def add(self, x: Tensor) -> None:
        """`x` and the latest other tensor of its shape, or twice `x`."""
        if not self.layers.config.residual:
            return
        same = [layer.output for layer in self.chain if layer.output.shape == x.shape and layer.output is not x]
        self.chain.append(self.layers.add(x, same[-1] if same else x))

    def view(self, x: Tensor) -> None:
        """`x` flattened."""
        if x.size > self.layers.limits.window_bytes:
            return
        flat = Tensor(f"{x.name}_flat{len(self.chain)}", (1, 1, x.size), x.scale, x.zero_point, x.unsigned)
        self.chain.append(View(f"view_{flat.name}", (f"view_{flat.name}",), [x], flat))
        self.layers.features.add("view")

    def resize(self, x: Tensor) -> None:
        vertical, horizontal = (int(factor) for factor in self.layers.rng.integers(1, 4, 2))
        height, width, channels = x.shape
        if (2 + vertical * horizontal) * width * channels > self.layers.limits.window_bytes:
            return
        if height * width * vertical * horizontal > self.layers.limits.cycles:
            return
        y = self.layers.tensor((height * vertical, width * horizontal, channels))
        y.scale, y.zero_point = x.scale, x.zero_point
        self.chain.append(Resize(f"resize_{y.name}", (f"resize_{y.name}",), [x], y, factors=(vertical, horizontal)))
        self.layers.features.add("resize")

    def concat(self, x: Tensor) -> None:
        """Branches from `x` side by side, `x` itself perhaps among them; one may be read elsewhere too."""
        branches = [self._branch(x) for _ in range(int(self.layers.rng.integers(1, 4)))]
        parts = [layer.output for layer in branches]
        if len(parts) == 1 or self.layers.chance(0.3):
            parts.insert(int(self.layers.rng.integers(len(parts) + 1)), x)
        for part in parts:
            part.scale, part.zero_point = x.scale, x.zero_point
        y = self.layers.tensor((x.shape[0], x.shape[1], sum(part.shape[2] for part in parts)))
        y.scale, y.zero_point = x.scale, x.zero_point
        self.chain += [*branches, Concat(f"concat_{y.name}", (f"concat_{y.name}",), parts, y)]
        self.layers.features.add("concat")

    def _branch(self, x: Tensor) -> Layer:
        """A layer whose output has the rows and columns of `x`."""
        for _ in range(10):
            layer: Conv | None = self.layers.conv(x)
            if layer is not None and layer.output.shape[:2] == x.shape[:2]:
                return layer
        return self.layers.unary(x)
