"""ConvTranspose and linear Resize as convolutions: the same numbers, whatever strides, paddings and modes."""

from fractions import Fraction
from typing import Any

import numpy as np
import onnx
import pytest

from talos.compiler.prepare.resize import weight_steps
from talos.compiler.quantization.quantize import quantize_float
from tests.compiler.float_models import constants, float_model, operators, prepared, samples
from tests.compiler.qdq_models import QdqModel

IMAGE = (1, 4, 7, 6)
TRANSPOSED: list[tuple[tuple[int, ...], dict[str, Any]]] = [
    ((2, 2), {"strides": [2, 2]}),
    ((3, 3), {"strides": [2, 2], "pads": [1, 1, 1, 1], "output_padding": [1, 1]}),
    ((4, 4), {"strides": [2, 2], "pads": [1, 1, 1, 1], "group": 2}),
    ((3, 3), {"pads": [1, 1, 1, 1]}),
    ((5, 5), {"strides": [3, 3], "pads": [2, 1, 0, 2], "output_padding": [1, 2]}),
    ((3, 3), {"strides": [3, 3], "group": 4}),
    ((2, 2), {"strides": [3, 3], "output_padding": [1, 0]}),
    ((3, 3), {"strides": [2, 2], "pads": [1, 1, 1, 1], "dilations": [2, 1]}),
    ((3, 2), {"strides": [1, 2], "pads": [1, 0, 0, 1]}),
    ((7, 7), {"strides": [2, 2], "pads": [6, 6, 6, 6]}),
    ((3, 3), {"strides": [2, 2], "auto_pad": "SAME_UPPER"}),
    ((3, 3), {"strides": [2, 2], "auto_pad": "SAME_LOWER"}),
    ((4, 4), {"strides": [3, 3], "auto_pad": "SAME_LOWER"}),
    ((3, 3), {"strides": [2, 2], "auto_pad": "VALID"}),
    ((3, 3), {"strides": [2, 2], "output_shape": [15, 13]}),
]


@pytest.mark.parametrize(("kernel", "attributes"), TRANSPOSED)
def test_transposed_convolution(kernel: tuple[int, ...], attributes: dict[str, Any]) -> None:
    def build(model: QdqModel, x: str) -> str:
        outputs = 3 * attributes.get("group", 1)
        return model.node("ConvTranspose", [x, constants(model, 4, 3, *kernel), constants(model, outputs)], **attributes)

    assert "ConvTranspose" not in operators(prepared(float_model(IMAGE, build)))


def test_transposed_convolution_of_a_line() -> None:
    def build(model: QdqModel, x: str) -> str:
        return model.node("ConvTranspose", [x, constants(model, 4, 3, 4)], strides=[2], pads=[1, 1])

    assert "ConvTranspose" not in operators(prepared(float_model((1, 4, 9), build)))


def test_no_work_is_done_for_what_is_cropped() -> None:
    """4×4, stride 2, padding 1: as many positions as the image has, and one more."""
    model = float_model(
        (1, 4, 8, 8), lambda m, x: m.node("ConvTranspose", [x, constants(m, 4, 3, 4, 4)], strides=[2, 2], pads=[1, 1, 1, 1])
    )
    result = prepared(model).model
    (convolution,) = (node for node in result.graph.node if node.op_type == "Conv")
    shapes = {value.name: [dim.dim_value for dim in value.type.tensor_type.shape.dim] for value in result.graph.value_info}
    assert shapes[convolution.output[0]] == [1, 12, 9, 9]


def _resize(factors: list[float], mode: str) -> Any:
    def build(model: QdqModel, x: str) -> str:
        scales = model.constant(np.array([1, 1, *factors], np.float32))
        return model.node("Resize", [x, "", scales], mode="linear", coordinate_transformation_mode=mode)

    return build


@pytest.mark.parametrize("mode", ["half_pixel", "asymmetric", "pytorch_half_pixel"])
@pytest.mark.parametrize("factors", [[2, 2], [3, 3], [4, 4], [8, 8], [2, 1], [2, 3]])
def test_linear_resize(factors: list[float], mode: str) -> None:
    assert "Resize" not in operators(prepared(float_model((1, 3, 5, 4), _resize(factors, mode))))


@pytest.mark.parametrize("size", [[9, 7], [17, 13], [5, 10]])
def test_linear_resize_with_aligned_corners(size: list[int]) -> None:
    def build(model: QdqModel, x: str) -> str:
        sizes = model.constant(np.array([1, 3, *size]))
        return model.node("Resize", [x, "", "", sizes], mode="linear", coordinate_transformation_mode="align_corners")

    assert "Resize" not in operators(prepared(float_model((1, 3, 5, 4), build)))


@pytest.mark.parametrize(("factors", "mode"), [([2, 2], "align_corners"), ([1.5, 1.5], "half_pixel"), ([2.1, 2.1], "asymmetric")])
def test_what_is_no_convolution_is_left(factors: list[float], mode: str) -> None:
    assert operators(prepared(float_model((1, 3, 4, 4), _resize(factors, mode)))) == ["Resize"]


@pytest.mark.parametrize("opset", [7, 9])
def test_upsample_of_old_models(opset: int) -> None:
    """The converter of ONNX forgets that these count from the corner."""

    def build(model: QdqModel, x: str) -> str:
        if opset == 7:
            return model.node("Upsample", [x], mode="linear", scales=[1.0, 1.0, 2.0, 2.0])
        return model.node("Upsample", [x, model.constant(np.array([1, 1, 2, 2], np.float32))], mode="linear")

    assert operators(prepared(float_model((1, 3, 5, 4), build, opset=opset))) == ["Pad", "Conv", "DepthToSpace"]


@pytest.mark.parametrize(("factor", "exact"), [(2, True), (3, True), (4, True), (5, True), (8, False)])
def test_interpolation_is_exact_in_int8(factor: int, exact: bool) -> None:
    model = float_model((1, 3, 5, 4), _resize([factor, factor], "half_pixel"))
    quantized = quantize_float(model, {"x": samples(model, 4)}, "test").model
    arrays = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in quantized.graph.initializer}
    codes = next(array for name, array in arrays.items() if array.dtype == np.int8 and array.ndim == 4)
    scales = next(array for name, array in arrays.items() if "interpolation" in name and name.endswith("_scale"))
    totals = codes.reshape(len(codes), -1).astype(np.int64).sum(axis=1)
    np.testing.assert_array_equal(scales, (1 / totals).astype(np.float32))
    phases = [(phase + (0.5 if factor % 2 == 0 else 0.0)) / factor for phase in range(factor)]
    kernels = np.array([np.outer([1 - a, a], [1 - b, b]).reshape(-1) for a in phases for b in phases] * 3)
    error = np.abs(codes.reshape(len(codes), -1) * scales[:, np.newaxis] - kernels).max()
    assert error < 1e-6 if exact else 1e-4 < error < 0.005


def test_steps_make_unit_sums() -> None:
    kernels = np.array([[0.25, 0.75, 0, 0], [225 / 256, 15 / 256, 15 / 256, 1 / 256], [1 / 3, 1 / 3, 1 / 3, 0]])
    steps = weight_steps(kernels)
    assert [Fraction(float(step)).limit_denominator(300) for step in (steps[0], steps[2])] == [Fraction(1, 4), Fraction(1, 3)]
    np.testing.assert_allclose((np.rint(kernels / steps[:, np.newaxis]) * steps[:, np.newaxis]).sum(axis=1), 1, rtol=1e-6)
