"""Every form of pooling and of reductions over height and width equals onnxruntime byte for byte."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from talos.compiler.frontend import build_graph
from talos.compiler.graph.ir import Layer, Pool
from talos.errors import TalosError
from tests.compiler.qdq_models import QdqModel, compare

X, Y = 0.03, 0.02134567  # scales whose ratio makes no ties


def _pooled(
    folder: Path, op: str, shape: list[int], opset: int = 17, axes: list[int] | None = None, **attributes: Any
) -> list[Layer]:
    model = QdqModel(1, opset)
    inputs = [model.qdq(model.input("x", shape), X, 7)]
    if axes is not None and opset >= 18:
        inputs.append(model.constant(np.array(axes)))
    elif axes is not None:
        attributes["axes"] = axes
    scale = X if op in ("MaxPool", "GlobalMaxPool", "ReduceMax") else Y * (20 if op == "ReduceSum" else 1)
    model.output(model.qdq(model.node(op, inputs, **attributes), scale, 7))
    return compare(model.save(folder)).graph.layers


WINDOWS: list[dict[str, Any]] = [
    {"kernel_shape": [2, 3], "strides": [2, 1]},
    {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [0, 0, 1, 1]},
    {"kernel_shape": [3, 3], "strides": [2, 2], "auto_pad": "SAME_UPPER"},
    {"kernel_shape": [4, 2], "strides": [3, 2], "auto_pad": "SAME_LOWER"},
    {"kernel_shape": [3, 3], "strides": [2, 2], "ceil_mode": 1},
    {"kernel_shape": [2, 2], "strides": [3, 3], "ceil_mode": 1},
    {"kernel_shape": [3, 2], "strides": [3, 3], "pads": [1, 1, 1, 1], "ceil_mode": 1},
    {"kernel_shape": [5, 5], "pads": [4, 4, 4, 4]},
]


@pytest.mark.parametrize("attributes", WINDOWS)
@pytest.mark.parametrize("op", ["MaxPool", "AveragePool"])
@pytest.mark.parametrize("include", [0, 1])
def test_windows(tmp_path: Path, op: str, attributes: dict[str, Any], include: int) -> None:
    extra: dict[str, Any] = {"count_include_pad": include} if op == "AveragePool" else {"storage_order": include}
    (layer,) = _pooled(tmp_path, op, [1, 3, 9, 10], **attributes, **extra)
    assert isinstance(layer, Pool)


@pytest.mark.parametrize(
    "attributes",
    [
        {"kernel_shape": [3]},
        {"kernel_shape": [4], "strides": [3], "pads": [1, 2]},
        {"kernel_shape": [4], "strides": [3], "auto_pad": "SAME_UPPER"},
        {"kernel_shape": [4], "strides": [3], "ceil_mode": 1},
    ],
)
@pytest.mark.parametrize("op", ["MaxPool", "AveragePool"])
def test_one_dimension(tmp_path: Path, op: str, attributes: dict[str, Any]) -> None:
    (layer,) = _pooled(tmp_path, op, [1, 3, 24], **attributes)
    assert isinstance(layer, Pool)


@pytest.mark.parametrize(
    "attributes",
    [
        {"kernel_shape": [3, 3], "dilations": [2, 3]},
        {"kernel_shape": [3, 2], "dilations": [3, 2], "pads": [2, 1, 2, 1], "strides": [2, 1]},
        {"kernel_shape": [2, 2], "dilations": [3, 3], "strides": [2, 2], "ceil_mode": 1},
    ],
)
def test_dilated_maximum(tmp_path: Path, attributes: dict[str, Any]) -> None:
    (layer,) = _pooled(tmp_path, "MaxPool", [1, 3, 11, 10], **attributes)
    assert isinstance(layer, Pool)


@pytest.mark.parametrize("op", ["GlobalMaxPool", "GlobalAveragePool"])
@pytest.mark.parametrize("shape", [[1, 3, 9, 10], [1, 3, 24], [1, 3, 30, 20]])
def test_global_pools(tmp_path: Path, op: str, shape: list[int]) -> None:
    _pooled(tmp_path, op, shape)


@pytest.mark.parametrize("op", ["GlobalMaxPool", "GlobalAveragePool", "ReduceMean"])
@pytest.mark.parametrize("shape", [[1, 2, 300], [1, 2, 3, 520]])
def test_windows_longer_than_an_instruction_counts(tmp_path: Path, op: str, shape: list[int]) -> None:
    _pooled(tmp_path, op, shape, axes=list(range(2, len(shape))) if op == "ReduceMean" else None)


def test_a_long_window_of_maxima(tmp_path: Path) -> None:
    layers = _pooled(tmp_path, "MaxPool", [1, 2, 900], kernel_shape=[601], strides=[7], pads=[30, 5])
    assert [layer.kernel for layer in layers if isinstance(layer, Pool)] == [(1, 256), (1, 256), (1, 91)]


@pytest.mark.parametrize("op", ["ReduceMean", "ReduceSum", "ReduceMax"])
@pytest.mark.parametrize("keepdims", [0, 1])
@pytest.mark.parametrize(
    ("shape", "axes"),
    [
        ([1, 3, 5, 4], [2, 3]),
        ([1, 3, 5, 4], [-1, -2]),
        ([1, 3, 5, 4], [2]),
        ([1, 3, 5, 4], [-1]),
        ([1, 5, 4, 3], [1, 2]),
        ([1, 3, 5], [2]),
        ([1, 5, 3], [1]),
    ],
)
def test_reductions(tmp_path: Path, op: str, keepdims: int, shape: list[int], axes: list[int]) -> None:
    layers = _pooled(tmp_path, op, shape, 18, axes, keepdims=keepdims)
    assert isinstance(layers[-1], Pool)


def test_pads_as_large_as_the_kernel_are_refused(tmp_path: Path) -> None:
    with pytest.raises(
        TalosError, match=r"node 'maxpool_2' \(MaxPool\): pads \(0, 2, 0, 2\) are not smaller than the kernel \(1, 2\)"
    ):
        _pooled(tmp_path, "MaxPool", [1, 3, 8], kernel_shape=[2], pads=[2, 2])


def test_pooling_in_three_dimensions_is_refused(tmp_path: Path) -> None:
    model = QdqModel(2)
    x = model.qdq(model.input("x", [1, 2, 4, 4, 4]), X, 7)
    model.output(model.qdq(model.node("MaxPool", [x], kernel_shape=[2, 2, 2]), X, 7))
    with pytest.raises(TalosError, match=r"node 'maxpool_2' \(MaxPool\): pooling of 3 dimensions"):
        build_graph(model.save(tmp_path))
