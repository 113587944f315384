"""ConvTranspose and linear Resize of models that are quantized already run on the accelerator."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import pytest

from talos.compiler.frontend import FrontendResult, build_graph
from talos.compiler.graph.evaluate import run_graph
from tests.compiler.qdq_models import QdqModel, compare, random_inputs, session

SCALE = 0.03


def _input(model: QdqModel, shape: tuple[int, ...], dtype: str, zero: int) -> str:
    return model.dequantize(model.input("x", shape, dtype), SCALE, zero, dtype)


def _on_accelerator(result: FrontendResult, name: str) -> None:
    (row,) = (row for row in result.node_placement if row.node == name)
    assert row.placement == "array" and not result.graph.host


TRANSPOSED: list[tuple[tuple[int, ...], dict[str, Any]]] = [
    ((2, 2), {"strides": [2, 2]}),
    ((3, 3), {"strides": [2, 2], "pads": [1, 1, 1, 1], "output_padding": [1, 1]}),
    ((4, 4), {"strides": [2, 2], "pads": [1, 1, 1, 1], "group": 2}),
    ((3, 2), {"strides": [1, 3], "pads": [1, 0, 0, 1], "dilations": [2, 1]}),
    ((3, 3), {"strides": [2, 2], "auto_pad": "SAME_LOWER"}),
]


@pytest.mark.parametrize(("kernel", "attributes"), TRANSPOSED)
@pytest.mark.parametrize(("weights", "zero", "per_channel"), [("int8", 0, True), ("uint8", 131, True), ("uint8", 120, False)])
def test_transposed_convolution(
    tmp_path: Path, kernel: tuple[int, ...], attributes: dict[str, Any], weights: str, zero: int, per_channel: bool
) -> None:
    model = QdqModel(1)
    x = _input(model, (1, 4, 6, 5), "int8", -9)
    weight = model.weight((4, 3, *kernel), axis=1, per_channel=per_channel, dtype=weights, zero=zero)
    count = 3 * attributes.get("group", 1)
    scale = np.tile(np.broadcast_to(model.last_scale, 3), count // 3).astype(np.float32) * np.float32(SCALE)
    codes = model.random.integers(-2000, 2000, count).astype(np.int32)
    bias = model.node(
        "DequantizeLinear", [model.constant(codes), model.constant(scale), model.constant(np.zeros(count, np.int32))], axis=0
    )
    y = model.node("ConvTranspose", [x, weight, bias], **attributes)
    model.output(model.quantize(model.node("Relu", [y]), 0.1, -128), "int8")
    _on_accelerator(compare(model.save(tmp_path)), next(node.name for node in model.nodes if node.op_type == "ConvTranspose"))


def test_weights_scaled_by_input_channel_stay_on_the_host(tmp_path: Path) -> None:
    model = QdqModel(2)
    x = _input(model, (1, 4, 5, 5), "int8", 0)
    x = model.qdq(model.conv(x, (4, 4, 1, 1), SCALE), 0.1, 0)
    y = model.node("ConvTranspose", [x, model.weight((4, 3, 2, 2), axis=0)], strides=[2, 2])
    model.output(model.quantize(y, 0.1, 0), "int8")
    result = compare(model.save(tmp_path))
    (row,) = (row for row in result.node_placement if row.op == "ConvTranspose")
    assert row.placement == "host" and "not scaled per output channel" in row.reason


def _resized(
    tmp_path: Path,
    factors: list[float],
    mode: str,
    *,
    dtype: str = "int8",
    zero: int = -9,
    scale: float = SCALE,
    relu: bool = False,
) -> Path:
    model = QdqModel(3)
    x = _input(model, (1, 3, 5, 4), dtype, zero)
    scales = model.constant(np.array([1, 1, *factors], np.float32))
    y = model.node("Resize", [x, "", scales], mode="linear", coordinate_transformation_mode=mode)
    model.output(model.quantize(model.node("Relu", [y]) if relu else y, scale, zero, dtype), dtype)
    return model.save(tmp_path)


def _interpolated(path: Path, codes: npt.NDArray[Any], zero: int) -> npt.NDArray[np.float64]:
    """The exact result in steps of the operand's scale: interpolation of integers, whose weights float32 has room for."""
    model = onnx.load(path)
    resize = next(node for node in model.graph.node if node.op_type == "Resize")
    graph = onnx.helper.make_graph(
        [resize],
        "resize",
        [onnx.helper.make_tensor_value_info(resize.input[0], onnx.TensorProto.FLOAT, codes.shape)],
        [onnx.helper.make_tensor_value_info(resize.output[0], onnx.TensorProto.FLOAT, None)],
        list(model.graph.initializer),
    )
    alone = onnx.helper.make_model(graph, opset_imports=list(model.opset_import), ir_version=model.ir_version)
    (result,) = session(alone).run(None, {resize.input[0]: codes.astype(np.float32) - zero})
    return np.asarray(result, np.float64)


@pytest.mark.parametrize(("dtype", "zero"), [("int8", -9), ("uint8", 119)])
@pytest.mark.parametrize("factors", [[2, 2], [4, 4], [2, 3], [1, 2]])
@pytest.mark.parametrize("mode", ["half_pixel", "asymmetric"])
def test_linear_resize_differs_only_at_ties(tmp_path: Path, dtype: str, zero: int, factors: list[float], mode: str) -> None:
    path = _resized(tmp_path, factors, mode, dtype=dtype, zero=zero)
    result = build_graph(path)
    _on_accelerator(result, "resize_1")
    reference = session(result.quantized_model)
    different = 0
    for codes in random_inputs(result, 4)["x"]:
        feeds = {"x": codes[np.newaxis]}
        (spec,), (made,) = result.graph.input_specs, result.graph.output_specs
        tensors = run_graph(result.graph, {spec.name: spec.to_tensor(feeds["x"])})
        got = made.from_tensor(tensors[result.graph.outputs[0].name]).astype(np.int64)
        want = np.asarray(reference.run(None, feeds)[0]).astype(np.int64)
        exact = _interpolated(path, feeds["x"], zero)
        tie = np.abs(np.abs(exact - np.floor(exact)) - 0.5) < 1e-3
        assert np.abs(got - want).max() <= 1
        np.testing.assert_array_equal(got[~tie], want[~tie])
        different += int((got != want).sum())
    assert different < 0.08 * 4 * want.size


@pytest.mark.parametrize("factors", [[3, 3], [5, 3], [1, 3]])
@pytest.mark.parametrize("mode", ["half_pixel", "pytorch_half_pixel", "asymmetric"])
@pytest.mark.parametrize("relu", [False, True])
def test_linear_resize_by_odd_factors_is_equal(tmp_path: Path, factors: list[float], mode: str, relu: bool) -> None:
    """No weight has an even denominator, so nothing lies halfway between two codes."""
    _on_accelerator(compare(_resized(tmp_path, factors, mode, relu=relu)), "resize_1")


def test_weights_beyond_int8(tmp_path: Path) -> None:
    """By 8: weights of up to 225/256. A scale that makes no ties, so all is equal."""
    _on_accelerator(compare(_resized(tmp_path, [8, 8], "half_pixel", scale=0.0437)), "resize_1")


@pytest.mark.parametrize("opset", [11, 13, 21])
def test_channels_last_around_a_resize(tmp_path: Path, opset: int) -> None:
    """As tf2onnx writes it: the quantized values have their channels last, and the Resize stands between two Transposes."""
    model = QdqModel(5, opset)
    x = model.node("Transpose", [_input(model, (1, 5, 4, 3), "int8", 4)], perm=[0, 3, 1, 2])
    operands = [x, model.constant(np.zeros(0, np.float32)), model.constant(np.array([1, 1, 3, 3], np.float32))]
    y = model.node("Resize", operands, mode="linear", coordinate_transformation_mode="half_pixel")
    y = model.node("Transpose", [y], perm=[0, 2, 3, 1])
    model.output(model.quantize(y, SCALE, 4), "int8")
    name = next(node.name for node in model.nodes if node.op_type == "Resize")
    _on_accelerator(compare(model.save(tmp_path)), name)


@pytest.mark.parametrize(("factors", "mode"), [([2, 2], "align_corners"), ([16, 16], "half_pixel"), ([1.5, 1.5], "half_pixel")])
@pytest.mark.parametrize("quantized", [False, True])
def test_what_is_no_convolution_stays_on_the_host(tmp_path: Path, factors: list[float], mode: str, quantized: bool) -> None:
    assert _on_host(tmp_path, factors, mode, quantized=quantized)


def test_a_result_that_stays_float_is_left(tmp_path: Path) -> None:
    assert _on_host(tmp_path, [2, 2], "half_pixel", quantized=False)
    assert not _on_host(tmp_path, [2, 2], "half_pixel", quantized=True, scale=0.0437)


def _on_host(tmp_path: Path, factors: list[float], mode: str, *, quantized: bool, scale: float = SCALE) -> bool:
    """Whether a Resize behind a convolution runs on the host; its results are onnxruntime's anyway."""
    model = QdqModel(4)
    x = model.conv(_input(model, (1, 3, 5, 4), "int8", 0), (4, 3, 1, 1), SCALE)
    x = model.qdq(x, SCALE, 0)
    scales = model.constant(np.array([1, 1, *factors], np.float32))
    y = model.node("Resize", [x, "", scales], mode="linear", coordinate_transformation_mode=mode)
    model.output(model.qdq(y, scale, 0) if quantized else y)
    result = compare(model.save(tmp_path))
    return any(row.op == "Resize" and row.placement == "host" for row in result.node_placement)
