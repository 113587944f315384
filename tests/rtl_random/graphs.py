"""Small random networks: branches, joins, reshapes, tensors with several readers and outputs in the middle."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from talos.compiler.graph.ir import Concat, Conv, Layer, Tensor, View
from talos.compiler.graph.rearrange import fill_code, rearrangement
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
        choices: list[Callable[[Tensor], None]] = [*[net.conv] * 5, net.other, net.pair, net.view, net.concat, net.rearrange]
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

    def pair(self, x: Tensor) -> None:
        """`x` and the latest other tensor of its shape or of one pixel with its channels, twice `x`, or `x` and a new tensor."""
        if not self.layers.config.residual:
            return
        shapes = {x.shape, (1, 1, x.shape[2])}
        same = [layer.output for layer in self.chain if layer.output.shape in shapes and layer.output is not x]
        other = None if self.layers.chance(0.3) else same[-1] if same else x
        self.chain.append(self.layers.pair(x, other))

    def view(self, x: Tensor) -> None:
        """`x` flattened."""
        if x.size > self.layers.limits.window_bytes:
            return
        flat = Tensor(f"{x.name}_flat{len(self.chain)}", (1, 1, x.size), x.scale, x.zero_point, x.unsigned)
        self.chain.append(View(f"view_{flat.name}", (f"view_{flat.name}",), [x], flat))
        self.layers.features.add("view")

    def rearrange(self, x: Tensor) -> None:
        """`x` enlarged, backwards, with its rows and columns or its channels in another order, or with a border."""
        chance = self.layers.chance
        wanted = np.arange(x.size, dtype=np.int32).reshape(x.shape)
        vertical, horizontal = (int(factor) for factor in self.layers.rng.integers(1, 4, 2))
        wanted = wanted.repeat(vertical, axis=0).repeat(horizontal, axis=1)
        wanted = wanted[::-1] if chance(0.2) else wanted
        wanted = wanted[:, ::-2] if chance(0.2) else wanted
        wanted = wanted.transpose(1, 0, 2) if chance(0.2) else wanted
        wanted = wanted[:, :, self.layers.rng.permutation(x.shape[2])] if chance(0.2) else wanted
        if chance(0.3):
            border = self.layers.rng.integers(0, 3, (3, 2))
            wanted = np.pad(
                wanted, border, constant_values=-1 if chance(0.5) else fill_code(int(self.layers.rng.integers(-128, 128)))
            )
        if (x.size // x.shape[0] + wanted.size // wanted.shape[0]) * 2 > self.layers.limits.window_bytes:
            return
        if wanted.size > self.layers.limits.cycles:
            return
        y = self.layers.tensor(wanted.shape)
        y.scale, y.zero_point = x.scale, x.zero_point
        self.chain.append(rearrangement(f"rearrange_{y.name}", (f"rearrange_{y.name}",), [x], y, wanted))
        self.layers.features.add("rearrange")

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
