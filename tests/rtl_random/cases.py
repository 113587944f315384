"""One case: a graph, its input and the memory's timing, all from (seed, configuration, kind, number)."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from talos.compiler.graph.ir import Conv, Graph, Layer, Tensor, operands
from talos.compiler.graph.separate_slices import separate_slices
from talos.config import AcceleratorConfig
from talos.io import IoSpec
from talos.memory import MemoryTiming
from tests.rtl_random.graphs import network
from tests.rtl_random.layers import Layers, Limits

__all__ = ["KINDS", "Case", "CaseId", "make_case"]

LAYER_CYCLES = 6000  # on the array, at most; transfers and slow memories make runs several times as long


@dataclass(frozen=True)
class CaseId:
    """Names a case; `str` is what the command line reads."""

    seed: int
    config: int
    kind: str
    number: int

    def __str__(self) -> str:
        return f"{self.config}:{self.kind}:{self.number}"


@dataclass(frozen=True)
class Case:
    """What is run. `features` say what it contains, for the summary."""

    id: CaseId
    graph: Graph
    inputs: dict[str, npt.NDArray[np.int8]]
    timing: MemoryTiming
    features: frozenset[str]


def make_case(case: CaseId, config: AcceleratorConfig) -> Case:
    """The case of that name for `config`."""
    rng = np.random.default_rng((case.seed, case.config, list(KINDS).index(case.kind), case.number))
    layers = Layers(rng, config, Limits.of(config, LAYER_CYCLES), unsigned=bool(rng.random() < 0.4))
    chain = KINDS[case.kind](layers)
    graph = _graph(str(case), chain, layers)
    features = layers.features | ({"uint8"} if layers.unsigned else set())
    inputs = {tensor.name: layers.image(tensor) for tensor in graph.inputs}
    return Case(case, graph, inputs, _timing(rng, config), frozenset(features))


def _conv_case(layers: Layers) -> list[Layer]:
    """A convolution alone (input and output in DRAM) or with neighbours, so that its input, output or both can stay on chip."""
    conv = _retry(layers.conv)
    before: list[Layer] = [layers.unary(y=conv.inputs[0])] if layers.chance(0.3) else []
    after: list[Layer] = []
    if layers.chance(0.3):
        second = layers.conv(conv.output) if layers.chance(0.4) else layers.other(conv.output)
        after = [second] if second else []
    return [*before, conv, *after]


def _other_case(layers: Layers) -> list[Layer]:
    """A layer of the vector unit, or two."""
    first = layers.other()
    return [first, layers.other(first.output)] if layers.chance(0.3) else [first]


KINDS: dict[str, Callable[[Layers], list[Layer]]] = {"conv": _conv_case, "other": _other_case, "graph": network}
"""Convolutions; layers of the vector unit alone; small networks."""


def _retry(draw: Callable[[], Conv | None]) -> Conv:
    while (layer := draw()) is None:
        continue
    return layer


def _graph(name: str, chain: list[Layer], layers: Layers) -> Graph:
    """The graph of `chain`: what nobody produces is an input (or a constant), what nobody reads an output, and now and then another tensor too."""
    made = [layer.output for layer in chain]
    read = list(dict.fromkeys(tensor for layer in chain for tensor in operands(layer)))
    inputs = [tensor for tensor in read if tensor not in made and tensor.data is None]
    outputs = [tensor for tensor in made if tensor not in read or layers.chance(0.1)]
    specs = [[_spec(tensor) for tensor in tensors] for tensors in (inputs, outputs)]
    results = [tensor.name for tensor in outputs]
    graph = Graph(name, inputs, outputs, chain, input_specs=specs[0], output_specs=specs[1], results=results)
    separate_slices(graph)
    return graph


def _spec(tensor: Tensor) -> IoSpec:
    height, width, channels = tensor.shape
    dtype = "uint8" if tensor.unsigned else "int8"
    onnx = (1, channels, height, width)
    scale, zero_point = float(tensor.scale), tensor.zero_point
    return IoSpec(tensor.name, onnx, dtype, onnx[1:], (1, 2, 0), tensor.shape, scale, zero_point, tensor.unsigned)


def _timing(rng: np.random.Generator, config: AcceleratorConfig) -> MemoryTiming:
    """A fast memory, a slow one or one that stalls; the slowest moves a beat in four cycles."""
    return MemoryTiming(
        latency=int(rng.choice([0, 1, 5, 20, 64, 150])),
        bytes_per_cycle=int(rng.choice([0, 0, config.beat_bytes // 2, max(1, config.beat_bytes // 4 + int(rng.integers(0, 4)))])),
        outstanding=int(rng.choice([1, 2, 4, 16])),
        stall=int(rng.choice([0, 0, 8, 64, 128])),
        seed=int(rng.integers(1, 1 << 32)),
    )
