"""Biases of convolutions and products: those that onnxruntime reads otherwise than the model says are left to it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from talos.errors import TalosError
from tests.compiler.qdq_models import QdqModel, compare

FAR, NEAR = 5.0, 1.005
"""Factors of the right scale: onnxruntime computes a convolution in float at the first, with the codes as they are at the second."""


def _model(op: str, factor: float, zero: int, dtype: str = "int32", **attributes: Any) -> QdqModel:
    """Product and bias, behind another convolution if it is one."""
    model = QdqModel()
    x = model.qdq(model.input("x", [1, 3, 6, 6] if op == "Conv" else [2, 27]), 0.05, 3)
    x = model.qdq(model.node("Conv", [x, model.weight((3, 3, 1, 1))]), 0.2, -1) if op == "Conv" else x
    scale_x = 0.2 if op == "Conv" else 0.05
    shape = {"Conv": (4, 3, 3, 3), "Gemm": (27, 4), "MatMul": (27, 4)}[op]
    weight = model.dequantize(model.constant(model.random.integers(-127, 128, shape).astype(np.int8)), 0.01, 0)
    limit = 100 if dtype == "int8" else 2000
    codes = model.constant(model.random.integers(-limit, limit, 4).astype(dtype))
    bias = model.dequantize(codes, factor * float(np.float32(scale_x) * np.float32(0.01)), zero, dtype)
    if op == "MatMul":
        value = model.node("Add", [model.node("MatMul", [x, weight]), bias])
    else:
        value = model.node(op, [x, weight, bias], **attributes)
    model.output(model.quantize(value, 0.5, 2), "int8")
    return model


@pytest.mark.parametrize(("factor", "zero", "dtype"), [(1, 0, "int32"), (1, 700, "int32"), (FAR, 0, "int32"), (20, 5, "int8")])
def test_convolution(factor: float, zero: int, dtype: str, tmp_path: Path) -> None:
    """Scale and zero point are obeyed; onnxruntime then computes in float."""
    result = compare(_model("Conv", factor, zero, dtype).save(tmp_path))
    assert not result.graph.host


def test_convolution_whose_kernel_ignores_the_scale(tmp_path: Path) -> None:
    result = compare(_model("Conv", NEAR, 0).save(tmp_path))
    (part,) = result.graph.host
    assert [(why.op, "scale" in why.reason) for why in part.reasons] == [("Conv", True)]


def test_scale_that_is_off_by_less_than_a_step(tmp_path: Path) -> None:
    result = compare(_model("Conv", 1 + 1e-4, 0).save(tmp_path))
    assert not result.graph.host


@pytest.mark.parametrize("op", ["Gemm", "MatMul"])
@pytest.mark.parametrize(("factor", "zero", "wrong"), [(1, 700, "zero point"), (FAR, 0, "scale"), (NEAR, 0, "scale")])
def test_product(op: str, factor: float, zero: int, wrong: str, tmp_path: Path) -> None:
    """The integer kernel of onnxruntime ignores both."""
    with pytest.raises(TalosError, match=f"int32 bias has a {wrong} other than"):
        compare(_model(op, factor, zero).save(tmp_path))


@pytest.mark.parametrize(("factor", "zero", "dtype"), [(1, 0, "int32"), (20, 5, "int8")])
@pytest.mark.parametrize("op", ["Gemm", "MatMul"])
def test_product_with_a_bias_that_is_obeyed(op: str, factor: float, zero: int, dtype: str, tmp_path: Path) -> None:
    result = compare(_model(op, factor, zero, dtype).save(tmp_path))
    assert not result.graph.host


def test_scaled_bias(tmp_path: Path) -> None:
    """Gemm with a beta is computed in float."""
    result = compare(_model("Gemm", 1, 0, beta=3.0).save(tmp_path))
    assert not result.graph.host


def test_sum_beyond_int32(tmp_path: Path) -> None:
    """onnxruntime adds in float where the accelerator would wrap around."""
    model = _model("Conv", FAR, 0)
    codes = next(tensor for tensor in model.constants if tensor.data_type == 6 and tensor.dims)
    codes.raw_data = np.full(4, 429_480_000, np.int32).tobytes()
    result = compare(model.save(tmp_path))
    assert ["int32" in why.reason for part in result.graph.host for why in part.reasons] == [True]


@pytest.mark.parametrize("scale", [3e38, 1e-44])
def test_scales_beyond_float32(scale: float, tmp_path: Path) -> None:
    """Dequantized weights that are infinite, or sums that are nothing: onnxruntime computes with those."""
    model = QdqModel()
    x = model.qdq(model.input("x", [1, 3, 6, 6]), 0.05, 3)
    weight = model.dequantize(model.constant(model.random.integers(-127, 128, (4, 3, 3, 3)).astype(np.int8)), scale, 0)
    model.output(model.quantize(model.node("Conv", [x, weight]), 0.5, 2), "int8")
    with pytest.raises(TalosError, match="products of its scales overflow or vanish"):
        compare(model.save(tmp_path))
