"""The positions that a Resize reads are those that onnxruntime reads, ties and float32 rounding included."""

from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from talos.compiler.importing.resize_map import COORDINATES, ROUNDINGS, ResizeAxis, nearest

CHOICES = [
    *product(COORDINATES, [rounding for rounding in ROUNDINGS if rounding != "simple"]),
    ("asymmetric", "simple"),
]  # opset 10 has no choice
Roi = tuple[np.float32, np.float32]


def _by_onnxruntime(
    size: int, scale: np.float32 | None, after: int | None, coordinates: str, rounding: str, roi: Roi
) -> npt.NDArray[np.int64]:
    """What a row of 0, 1, 2, … becomes; -1 outside."""
    opset = 11 if coordinates == "tf_half_pixel_for_nn" else 10 if rounding == "simple" else 19
    x = np.arange(size, dtype=np.float32).reshape(1, 1, 1, size)
    scales = np.array([] if scale is None else [1, 1, 1, scale], np.float32)
    constants = {"scales": scales, "roi": np.array([0, 0, 0, roi[0], 1, 1, 1, roi[1]], np.float32)}
    inputs = ["x", "scales"]
    attributes: dict[str, Any] = {}
    if opset > 10:
        inputs = ["x", "roi", "scales"]
        attributes = {"coordinate_transformation_mode": coordinates, "nearest_mode": rounding, "extrapolation_value": -1.0}
    if after is not None:
        constants["sizes"] = np.array([1, 1, 1, after], np.int64)
        inputs.append("sizes")
    node = helper.make_node("Resize", inputs, ["y"], mode="nearest", **attributes)
    tensors = [numpy_helper.from_array(array, name) for name, array in constants.items()]
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        [node], "resize", [value("x", TensorProto.FLOAT, x.shape)], [value("y", TensorProto.FLOAT, None)], tensors
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, {"x": x})[0], np.int64).reshape(-1)


@pytest.mark.parametrize(("coordinates", "rounding"), CHOICES)
def test_nearest(coordinates: str, rounding: str) -> None:
    """Ratios of small numbers, where halves and whole numbers are frequent, and any others."""
    rng = np.random.default_rng(1)
    compared = 0
    while compared < 40:
        size, after = int(rng.integers(1, 40)), None
        ratio = rng.integers(1, 20) / rng.integers(1, 20) if rng.random() < 0.7 else rng.uniform(0.2, 4)
        scale: np.float32 | None = np.float32(ratio)
        length = int(np.floor(np.float32(size) * np.float32(ratio)))
        if rounding != "simple" and rng.random() < 0.5:
            after = length = int(rng.integers(1, 80))
            scale = None
        if length < 1 or length == size:  # of equal sizes onnxruntime makes a copy
            continue
        roi = np.sort(rng.uniform(-0.2, 1.2, 2)).astype(np.float32)
        found = _by_onnxruntime(size, scale, after, coordinates, rounding, (roi[0], roi[1]))
        step = np.float32(length) / np.float32(size) if scale is None else scale
        axis = ResizeAxis(size, length, step, roi[0], roi[1])
        np.testing.assert_array_equal(nearest(axis, coordinates, rounding), found, err_msg=str(axis))
        compared += 1
