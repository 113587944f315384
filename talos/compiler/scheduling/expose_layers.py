"""A second program of the same network that also hands back what every layer makes, to compare layer by layer."""

from collections.abc import Set
from dataclasses import dataclass, replace

import numpy as np

from talos.compiler.graph.index import Index
from talos.compiler.graph.ir import Concat, Graph, OnnxValue, Tensor, View
from talos.compiler.graph.separate_slices import separate_slices
from talos.compiler.scheduling.schedule import schedule
from talos.config import AcceleratorConfig
from talos.io import IoSpec
from talos.program import Program

__all__ = ["LayerProgram", "LayerValue", "expose_layers"]

_NOTHING = np.zeros(0, np.int32)


@dataclass(frozen=True)
class LayerValue:
    """What one layer makes, and the ONNX value that it must equal.

    `port` names the program's output with the layer's bytes, int8 (height, width, channels). Element `elements[i]`, in ONNX order, of
    the ONNX value `value` is byte `positions[i]` of it (-1: 0.0, stored nowhere); the value has the shape `shape`. A layer that writes
    into a slice of a Concat makes only some of its elements. The byte q stands for (q - `zero_point`) · `scale`; an `unsigned` value's
    ONNX code is 128 higher. `real`: the ONNX value is that float, not the code. `value` is empty if the layer only moves data into a
    form that no ONNX value has; the layers that read it show whether it is right.
    """

    layer: str
    op: str
    port: str
    value: str
    shape: tuple[int, ...]
    elements: Index
    positions: Index
    scale: np.float32
    zero_point: int
    unsigned: bool
    real: bool


@dataclass(frozen=True)
class LayerProgram:
    """`program` computes the network and has an output for each of `values`, which are in the order of execution."""

    program: Program
    values: tuple[LayerValue, ...]


def expose_layers(graph: Graph, config: AcceleratorConfig, names: Set[str]) -> LayerProgram:
    """Compile the fused `graph` with every layer's tensor as an output behind its own. `graph` is left alone.

    Compared will be ONNX values in `names`, those that the quantized model computes. Outputs lie in DRAM, so the program stores and
    loads more than the ordinary one; its layers are the same. Raises TalosError as `schedule` does.
    """
    layers = [layer for layer in graph.layers if not isinstance(layer, View)]
    places = _places(graph, names)
    values = []
    for number, layer in enumerate(layers):
        tensor, place = layer.output, places.get(id(layer.output), _Place("", (), _NOTHING, _NOTHING, real=False))
        values.append(
            LayerValue(
                layer=layer.name,
                op=layer.op,
                port=f"layer {number}",
                value=place.name,
                shape=place.shape,
                elements=place.elements,
                positions=place.positions,
                scale=tensor.scale,
                zero_point=tensor.zero_point,
                unsigned=tensor.unsigned,
                real=place.real,
            )
        )
    tensors = [layer.output for layer in layers]
    specs = [_bytes_of(value.port, tensor) for value, tensor in zip(values, tensors, strict=True)]
    exposed = replace(
        graph,
        layers=[replace(layer, inputs=list(layer.inputs)) for layer in graph.layers],
        outputs=[*graph.outputs, *tensors],
        output_specs=[*graph.output_specs, *specs],
    )
    separate_slices(exposed)  # an output has bytes of its own: what lay in a slice of a Concat is now copied there
    return LayerProgram(schedule(exposed, config), tuple(values))


@dataclass(frozen=True)
class _Place:
    name: str
    shape: tuple[int, ...]
    elements: Index
    positions: Index
    real: bool


def _places(graph: Graph, names: Set[str]) -> dict[int, _Place]:
    """For each tensor, by id, the ONNX value that shows most of its bytes, codes rather than the float behind them.

    A tensor without one that is an operand of a Concat is a part of the Concat's value.
    """
    best: dict[int, OnnxValue] = {}
    for value in graph.values:
        rival = best.get(id(value.tensor))
        if value.name in names and (rival is None or _rank(value) > _rank(rival)):
            best[id(value.tensor)] = value
    places = {
        key: _Place(
            value.name, value.index.shape, np.arange(value.index.size, dtype=np.int32), value.index.reshape(-1), value.real
        )
        for key, value in best.items()
    }
    for layer in reversed(graph.layers):  # from the outermost Concat inwards
        whole = places.get(id(layer.output))
        if isinstance(layer, Concat) and whole is not None:
            first = 0
            for tensor in layer.inputs:
                places.setdefault(id(tensor), _slice(whole, layer.output.shape[2], first, tensor.shape[2]))
                first += tensor.shape[2]
    return places


def _slice(whole: _Place, depth: int, first: int, count: int) -> _Place:
    """The part of a value with `depth` channels that lies in channels `first` to `first + count`."""
    pixel, channel = np.divmod(whole.positions, depth)
    inside = (whole.positions >= 0) & (channel >= first) & (channel < first + count)
    positions = pixel[inside] * count + channel[inside] - first
    return _Place(whole.name, whole.shape, whole.elements[inside], positions.astype(np.int32), whole.real)


def _rank(value: OnnxValue) -> tuple[bool, int, bool]:
    return not value.real, int(np.unique(value.index[value.index >= 0]).size), value.name == value.tensor.name


def _bytes_of(name: str, tensor: Tensor) -> IoSpec:
    """The port that shows a tensor's bytes as they are."""
    return IoSpec(
        name=name,
        onnx_shape=(1, *tensor.shape),
        onnx_dtype="int8",
        view_shape=tensor.shape,
        permutation=(0, 1, 2),
        tensor_shape=tensor.shape,
        scale=float(tensor.scale),
        zero_point=tensor.zero_point,
    )
