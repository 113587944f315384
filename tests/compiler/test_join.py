"""Concat and Resize: every value equals onnxruntime's, on the layer graph and as a program, on chip and through DRAM."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from talos.compiler.frontend import FrontendResult
from talos.compiler.graph.evaluate import run_graph
from talos.compiler.graph.ir import Concat, Conv, Lookup, Pool, Rearrange
from talos.compiler.scheduling.schedule import schedule
from talos.config import PRESETS
from talos.isa import Opcode, Source
from talos.model.checker import check_program
from talos.model.functional import FunctionalModel
from talos.program import Program
from tests.compiler.qdq_models import QdqModel, compare, random_inputs

X, Y, Z = 0.03, 0.05, 0.11  # scales
CONFIGS = (PRESETS["4x4"], PRESETS["8x16"], PRESETS["4x4"].replace(activation_bytes=2048, accumulator_depth=64))
PADS: dict[str, Any] = {"pads": [1, 1, 1, 1]}


def _image(model: QdqModel, channels: int = 5, size: int = 8, zero: int = 7, dtype: str = "int8", name: str = "x") -> str:
    return model.qdq(model.input(name, [1, channels, size, size]), X, zero, dtype)


def _conv(model: QdqModel, x: str, outputs: int, inputs: int, size: int = 3, scale: float = Y, source: float = X) -> str:
    pad = size // 2
    value = model.conv(x, (outputs, inputs, size, size), source, pads=[pad] * 4)
    return model.qdq(value, scale, -3)


def _check(model: QdqModel, folder: Path) -> tuple[FrontendResult, list[Program]]:
    """Against onnxruntime layer by layer, then as programs against the layers."""
    result = compare(model.save(folder))
    sample = {name: array[:1] for name, array in random_inputs(result, 1).items()}
    images: dict[str, npt.NDArray[np.int8]] = {spec.name: spec.to_tensor(sample[spec.name]) for spec in result.graph.input_specs}
    truth = run_graph(result.graph, images)
    programs = []
    for config in CONFIGS:
        program = schedule(result.graph, config)
        check_program(program)
        found = FunctionalModel(config, garbage=3).run_codes(program, images)
        for spec, tensor in zip(result.graph.output_specs, result.graph.outputs, strict=True):
            np.testing.assert_array_equal(found[spec.name], truth[tensor.name], err_msg=f"{spec.name} on {config.name}")
        programs.append(program)
    return result, programs


def _kinds(result: FrontendResult) -> list[type]:
    return [type(layer) for layer in result.graph.layers]


@pytest.mark.parametrize("size", [6, 40])
def test_operands_are_written_into_slices(tmp_path: Path, size: int) -> None:
    """A fire module: no instruction moves a byte for Concat, nor for the table that unequal scales need."""
    model = QdqModel()
    squeezed = _conv(model, _image(model, size=size), 4, 5, 1)
    narrow = _conv(model, squeezed, 6, 4, 1, X, Y)
    wide = _conv(model, squeezed, 7, 4, 3, Z, Y)
    joined = model.qdq(model.node("Concat", [narrow, wide], axis=1), Y, 4)
    model.output(_conv(model, joined, 9, 13, 3, Z, Y))
    result, programs = _check(model, tmp_path)
    assert _kinds(result) == [Conv, Conv, Conv, Concat, Conv]
    for program in programs:
        sources = {i["source"] for i in program.instructions if i.opcode == Opcode.VECTOR}
        assert sources == {Source.ACCUMULATOR}
        assert [layer.op for layer in program.layers] == ["conv"] * 4
    places = {placement.op: placement.placement for placement in result.node_placement}
    assert places["Concat"] == "placement"


@pytest.mark.parametrize("dtype", ["int8", "uint8"])
@pytest.mark.parametrize("relu", [False, True])
def test_scales_may_differ(tmp_path: Path, dtype: str, relu: bool) -> None:
    model = QdqModel(1)
    x = _image(model, zero=7 if dtype == "int8" else 120, dtype=dtype)
    parts = [x]
    for scale, outputs in ((Y, 3), (Z, 6)):
        parts.append(model.qdq(model.conv(x, (outputs, 5, 1, 1), X), scale, 3 if dtype == "int8" else 99, dtype))
    value = model.node("Concat", parts, axis=1)
    value = model.node("Relu", [value]) if relu else value
    model.output(model.qdq(value, Y, 3 if dtype == "int8" else 99, dtype))
    _check(model, tmp_path)


def test_slices_are_read_beside_the_whole(tmp_path: Path) -> None:
    """By a dense, a grouped, a depthwise and a strided convolution, a pooling and an addition."""
    model = QdqModel(2)
    x = _image(model, 8, 9)
    a, b = _conv(model, x, 8, 8), _conv(model, x, 12, 8, 1)
    joined = model.node("Concat", [a, b], axis=1)
    readers = [
        _conv(model, b, 4, 12, 3, Z, Y),
        model.qdq(model.conv(b, (12, 3, 3, 3), Y, group=4, **PADS), Z, 2),
        model.qdq(model.conv(b, (12, 1, 3, 3), Y, group=12, **PADS), Z, 2),
        model.qdq(model.conv(b, (4, 12, 3, 3), Y, strides=[2, 2]), Z, 2),
        model.qdq(model.node("MaxPool", [b], kernel_shape=[2, 2], strides=[2, 2]), Y, -3),
        model.qdq(model.node("AveragePool", [a], kernel_shape=[3, 3]), Z, 4),
        model.qdq(model.node("Add", [b, model.qdq(model.conv(a, (12, 8, 1, 1), Y), Y, 1)]), Z, 0),
        _conv(model, joined, 5, 20, 3, Z, Y),
    ]
    for value in readers:
        model.output(value)
    result, _ = _check(model, tmp_path)
    assert Rearrange not in _kinds(result)


def test_operands_without_a_place_of_their_own_are_copied(tmp_path: Path) -> None:
    """The network's input, one of its outputs, one that is used twice, and one that is in two Concats."""
    model = QdqModel(3)
    x = _image(model, zero=-3)
    a = model.qdq(model.conv(x, (4, 5, 3, 3), X, **PADS), X, -3)
    b = model.qdq(model.conv(x, (6, 5, 1, 1), X), X, -3)
    first = model.node("Concat", [x, a, a], axis=1)
    second = model.node("Concat", [b, a], axis=1)
    model.output(a)
    model.output(_conv(model, first, 4, 13))
    model.output(_conv(model, second, 4, 10))
    result, _ = _check(model, tmp_path)
    assert _kinds(result).count(Rearrange) == 4


def test_a_concat_of_a_concat_has_one_place(tmp_path: Path) -> None:
    model = QdqModel(4)
    x = _image(model)
    a = model.qdq(model.conv(x, (4, 5, 1, 1), X), Y, 0)
    b = model.qdq(model.conv(a, (6, 4, 3, 3), Y, **PADS), Y, 0)
    inner = model.node("Concat", [a, b], axis=1)
    c = model.qdq(model.conv(inner, (3, 10, 3, 3), Y, **PADS), Y, 0)
    outer = model.node("Concat", [c, inner], axis=1)
    model.output(model.node("MaxPool", [outer], kernel_shape=[2, 2], strides=[2, 2]))
    model.output(_conv(model, outer, 4, 13, 3, Z, Y))
    result, _ = _check(model, tmp_path)
    assert _kinds(result).count(Concat) == 2 and Rearrange not in _kinds(result)


def test_the_result_is_an_output(tmp_path: Path) -> None:
    model = QdqModel(5)
    x = _image(model)
    parts = [model.qdq(model.conv(x, (outputs, 5, 1, 1), X), Y, 0) for outputs in (3, 8)]
    joined = model.node("Concat", parts, axis=1)
    model.output(joined)
    model.output(model.node("MaxPool", [joined], kernel_shape=[3, 3]))
    _check(model, tmp_path)


def test_feature_vectors(tmp_path: Path) -> None:
    """Pooled features beside a flattened image, then a fully connected layer."""
    model = QdqModel(6)
    x = _image(model, 4, 4)
    pooled = model.qdq(model.node("GlobalAveragePool", [x]), X, 7)
    parts = [model.node("Flatten", [value]) for value in (pooled, x)]
    joined = model.node("Concat", parts, axis=-1)
    weight = model.weight((68, 5), axis=1)
    model.output(model.qdq(model.node("Gemm", [joined, weight, model.bias(5, X)]), Z, 0))
    _check(model, tmp_path)


def test_channels_last_networks(tmp_path: Path) -> None:
    model = QdqModel(7)
    x = _image(model)
    parts = []
    for outputs in (3, 6):
        value = model.qdq(model.conv(x, (outputs, 5, 1, 1), X), Y, 0)
        parts.append(model.node("Transpose", [value], perm=[0, 2, 3, 1]))
    joined = model.node("Transpose", [model.node("Concat", parts, axis=3)], perm=[0, 3, 1, 2])
    model.output(_conv(model, joined, 4, 9, 3, Z, Y))
    result, _ = _check(model, tmp_path)
    assert _kinds(result) == [Conv, Conv, Concat, Conv]


def test_resize_to_sizes_beside_a_route(tmp_path: Path) -> None:
    """The neck of YOLOv3-tiny, with its LeakyRelu."""
    model = QdqModel(9)

    def block(x: str, outputs: int, inputs: int, size: int) -> str:
        value = _conv(model, x, outputs, inputs, size, Y, Z)
        return model.qdq(model.node("LeakyRelu", [value], alpha=0.1), Z, -80)

    x = model.qdq(model.input("x", [1, 5, 8, 8]), Z, 0)
    route = block(x, 8, 5, 3)
    pooled = model.node("MaxPool", [route], kernel_shape=[2, 2], strides=[2, 2])
    same = model.node("MaxPool", [pooled], kernel_shape=[2, 2], strides=[1, 1], pads=[0, 0, 1, 1])
    narrow = block(same, 4, 8, 1)
    sizes = model.constant(np.array([1, 4, 8, 8]))
    wide = model.node("Resize", [narrow, "", "", sizes], coordinate_transformation_mode="asymmetric", nearest_mode="floor")
    joined = model.node("Concat", [wide, route], axis=1)
    model.output(_conv(model, block(joined, 6, 12, 3), 7, 6, 1, Y, Z))
    model.output(_conv(model, narrow, 7, 4, 1, Y, Z))
    result, programs = _check(model, tmp_path)
    assert _kinds(result).count(Lookup) == 0, "tables belong to the convolutions"
    assert {Rearrange, Concat, Pool} <= set(_kinds(result))
    assert all(i["out_w"] <= 8 for program in programs for i in program.instructions if i.opcode == Opcode.VECTOR)
