"""Every form of Conv, Gemm and MatMul with constant weights equals onnxruntime byte for byte."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from talos.compiler.frontend import build_graph
from talos.compiler.graph.ir import Concat, Conv, Layer
from talos.compiler.importing.long_kernel import LONGEST_KERNEL
from talos.errors import TalosError
from tests.compiler.qdq_models import QdqModel, compare

X = 0.03  # scale


def _value(model: QdqModel, shape: list[int], zero: int = 7, name: str = "x") -> str:
    return model.qdq(model.input(name, shape), X, zero)


def _matrix(model: QdqModel, shape: list[int]) -> str:
    """A value of any shape: the batch dimension of the input is 1."""
    return model.node("Reshape", [_value(model, [1, *shape]), model.constant(np.array(shape))])


def _finish(model: QdqModel, value: str, scale: float = 0.4) -> None:
    model.output(model.qdq(value, scale, -3))


def _layers(folder: Path, model: QdqModel) -> list[Layer]:
    return compare(model.save(folder)).graph.layers


@pytest.mark.parametrize(
    ("weight", "attributes"),
    [
        ((6, 4, 3), {}),
        ((6, 4, 3), {"pads": [2, 0], "strides": [2]}),
        ((6, 4, 3), {"pads": [4, 4], "dilations": [4]}),
        ((4, 1, 5), {"group": 4, "auto_pad": "SAME_UPPER", "strides": [2]}),
        ((8, 1, 5), {"group": 4, "auto_pad": "SAME_LOWER"}),
        ((6, 2, 1), {"group": 2}),
    ],
)
def test_one_dimension(tmp_path: Path, weight: tuple[int, ...], attributes: dict[str, Any]) -> None:
    model = QdqModel(1)
    _finish(model, model.conv(_value(model, [1, 4, 23]), weight, X, **attributes))
    assert {type(layer) for layer in _layers(tmp_path, model)} <= {Conv, Concat}


@pytest.mark.parametrize(
    ("channels", "multiplier", "attributes"),
    [
        (4, 2, {"pads": [1, 1, 1, 1]}),
        (3, 5, {"strides": [2, 2]}),
        (1, 6, {}),
        (5, 3, {"dilations": [2, 1], "pads": [0, 1, 2, 0]}),
    ],
)
def test_depthwise_multiplier(tmp_path: Path, channels: int, multiplier: int, attributes: dict[str, Any]) -> None:
    model = QdqModel(2)
    x = _value(model, [1, channels, 9, 8])
    _finish(model, model.conv(x, (channels * multiplier, 1, 3, 3), X, group=channels, **attributes))
    layers = _layers(tmp_path, model)
    assert [layer.groups for layer in layers if isinstance(layer, Conv)] == ([1] if channels == 1 else [channels] * multiplier)


def test_a_dense_convolution_reads_multiplied_channels_where_they_lie(tmp_path: Path) -> None:
    model = QdqModel(15)
    x = model.conv(_value(model, [1, 4, 9, 8]), (8, 1, 3, 3), X, group=4, pads=[1, 1, 1, 1])
    x = model.qdq(model.node("Relu", [x]), 0.2, -128)
    _finish(model, model.conv(x, (5, 8, 3, 3), 0.2, pads=[1, 1, 1, 1]), 2.0)
    assert [type(layer) for layer in _layers(tmp_path, model)] == [Conv, Conv, Concat, Conv]


@pytest.mark.parametrize(
    ("weight", "attributes"),
    [
        ((3, 4, 15, 1), {"pads": [7, 0, 7, 0]}),
        ((3, 4, 10, 8), {"pads": [5, 4, 4, 3]}),
        ((3, 4, 2, 2), {"strides": [3, 4], "pads": [0, 1, 1, 0]}),
        ((4, 1, 3, 3), {"group": 4, "dilations": [5, 5], "pads": [5, 5, 5, 5]}),
        ((3, 4, 3, 3), {"pads": [4, 0, 0, 4]}),
    ],
)
def test_unusual_kernels(tmp_path: Path, weight: tuple[int, ...], attributes: dict[str, Any]) -> None:
    model = QdqModel(3)
    _finish(model, model.conv(_value(model, [1, 4, 12, 12]), weight, X, **attributes))
    (layer,) = _layers(tmp_path, model)
    assert isinstance(layer, Conv)


def test_weights_shared_by_two_nodes(tmp_path: Path) -> None:
    model = QdqModel(4)
    weight = model.weight((4, 4, 3, 3))
    x = model.node("Conv", [_value(model, [1, 4, 9, 9]), weight])
    _finish(model, model.node("Conv", [model.qdq(x, 0.4, 9), weight]), 2.0)
    assert [type(layer) for layer in _layers(tmp_path, model)] == [Conv, Conv]


@pytest.mark.parametrize("form", ["Transpose", "Reshape", "Identity"])
@pytest.mark.parametrize("per_channel", [False, True])
def test_weights_through_shape_operators(tmp_path: Path, form: str, per_channel: bool) -> None:
    model = QdqModel(5)
    shapes = {"Transpose": (3, 3, 4, 6), "Reshape": (6, 36), "Identity": (6, 4, 3, 3)}
    weight = model.weight(shapes[form], axis=3 if form == "Transpose" else 0, per_channel=per_channel)
    if form == "Transpose":
        weight = model.node("Transpose", [weight], perm=[3, 2, 0, 1])
    elif form == "Reshape":
        weight = model.node("Reshape", [weight, model.constant(np.array([6, 4, 3, 3]))])
    else:
        weight = model.node("Identity", [weight])
    _finish(model, model.node("Conv", [_value(model, [1, 4, 9, 9]), weight]))
    _layers(tmp_path, model)


def test_three_dimensions_are_refused(tmp_path: Path) -> None:
    model = QdqModel(6)
    _finish(model, model.node("Conv", [_value(model, [1, 2, 5, 5, 5]), model.weight((3, 2, 3, 3, 3))]))
    with pytest.raises(TalosError, match=r"node 'conv_3' \(Conv\): a convolution of 3 dimensions; only 1-D and 2-D"):
        build_graph(model.save(tmp_path))


@pytest.mark.parametrize(
    ("attributes", "x", "weight"),
    [
        ({}, [1, 12], (12, 5)),
        ({"transB": 1}, [1, 12], (5, 12)),
        ({"transA": 1}, [12, 1], (12, 5)),
        ({"transA": 1, "transB": 1}, [12, 4], (5, 12)),
        ({"alpha": 0.3}, [1, 12], (12, 5)),
        ({}, [7, 12], (12, 5)),
    ],
)
@pytest.mark.parametrize("per_channel", [False, True])
def test_gemm(tmp_path: Path, attributes: dict[str, Any], x: list[int], weight: tuple[int, int], per_channel: bool) -> None:
    model = QdqModel(7)
    inputs = [_matrix(model, x), model.weight(weight, axis=0 if attributes.get("transB") else 1, per_channel=per_channel)]
    _finish(model, model.node("Gemm", inputs, **attributes))
    _layers(tmp_path, model)


@pytest.mark.parametrize("shape", [(), (1,), (5,), (1, 5)])
@pytest.mark.parametrize("rows", [1, 3])
def test_gemm_with_a_bias(tmp_path: Path, shape: tuple[int, ...], rows: int) -> None:
    model = QdqModel(8)
    inputs = [_matrix(model, [rows, 12]), model.weight((12, 5), per_channel=False)]
    codes = model.constant(model.random.integers(-2000, 2000, shape).astype(np.int32))
    zero = model.constant(np.int32(0))
    bias = model.node("DequantizeLinear", [codes, model.constant(np.float32(X) * model.last_scale), zero])
    _finish(model, model.node("Gemm", [*inputs, bias]))
    _layers(tmp_path, model)


@pytest.mark.parametrize(
    ("x", "weight"),
    [
        ([1, 12], (12, 5)),
        ([1, 3, 12], (12, 5)),
        ([1, 2, 3, 12], (12, 5)),
        ([1, 1, 12], (12, 5)),
        ([1, 2, 3, 12], (1, 1, 12, 5)),
    ],
)
def test_matrix_on_the_right(tmp_path: Path, x: list[int], weight: tuple[int, ...]) -> None:
    model = QdqModel(9)
    _finish(model, model.node("MatMul", [_value(model, x), model.weight(weight, axis=len(weight) - 1)]))
    (layer,) = _layers(tmp_path, model)
    assert isinstance(layer, Conv)


@pytest.mark.parametrize(("weight", "x"), [((5, 12), [12, 1]), ((5, 12), [1, 12, 4]), ((5, 12), [1, 3, 12, 4])])
def test_matrix_on_the_left(tmp_path: Path, weight: tuple[int, int], x: list[int]) -> None:
    model = QdqModel(10)
    _finish(model, model.node("MatMul", [model.weight(weight, per_channel=False), _matrix(model, x)]))
    assert isinstance(_layers(tmp_path, model)[-1], Conv)


def test_matrix_over_an_image_with_channels_last(tmp_path: Path) -> None:
    """A linear layer behind a convolution, as in transformers of images: the transposition costs nothing."""
    model = QdqModel(11)
    x = model.qdq(model.conv(_value(model, [1, 4, 9, 9]), (6, 4, 3, 3), X), 0.3, 2)
    x = model.node("Transpose", [x], perm=[0, 2, 3, 1])
    x = model.node("MatMul", [x, model.weight((6, 5), axis=1)])
    x = model.node("Add", [x, model.constant(model.random.normal(0, 1, 5).astype(np.float32))])
    _finish(model, model.node("Transpose", [x], perm=[0, 3, 1, 2]))
    assert [type(layer) for layer in _layers(tmp_path, model)] == [Conv, Conv]


def test_two_activations_are_refused(tmp_path: Path) -> None:
    model = QdqModel(12)
    _finish(model, model.node("MatMul", [_value(model, [1, 3, 4]), _value(model, [1, 4, 3], name="z")]))
    with pytest.raises(TalosError, match=r"node 'matmul_4' \(MatMul\): it multiplies two activations; only"):
        build_graph(model.save(tmp_path))


@pytest.mark.parametrize(
    ("shape", "weight", "attributes"),
    [
        ([1, 2, 310, 2], (3, 2, 300, 1), {"pads": [4, 0, 0, 0]}),
        ([1, 4, 640], (6, 2, 600), {"group": 2, "strides": [2], "pads": [5, 6]}),
        ([1, 3, 620, 3], (3, 1, 300, 2), {"group": 3, "dilations": [2, 1], "strides": [2, 1], "pads": [3, 0, 4, 1]}),
        ([1, 1, 1010], (3, 1, 1000), {}),
    ],
)
def test_kernels_longer_than_an_instruction_counts(
    tmp_path: Path, shape: list[int], weight: tuple[int, ...], attributes: dict[str, Any]
) -> None:
    model = QdqModel(13)
    _finish(model, model.conv(_value(model, shape), weight, X, **attributes), 0.8)
    layer = _layers(tmp_path, model)[-1]
    assert isinstance(layer, Conv)
    assert max(layer.weight.shape[1:3]) <= LONGEST_KERNEL


def test_a_matrix_behind_a_tall_image(tmp_path: Path) -> None:
    model = QdqModel(14)
    flat = model.node("Flatten", [_value(model, [1, 2, 300, 2])])
    _finish(model, model.node("Gemm", [flat, model.weight((1200, 3), axis=1)]), 0.8)
    layer = _layers(tmp_path, model)[-1]
    assert isinstance(layer, Conv)
    assert max(layer.weight.shape[1:3]) <= LONGEST_KERNEL
