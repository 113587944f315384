"""Conversion between ONNX values and accelerator tensors."""

import json
from typing import Any

import numpy as np
import pytest

from talos.errors import TalosError
from talos.io import IoSpec


def _spec(**changes: Any) -> IoSpec:
    """A float NCHW image of 3 channels, 4 rows and 5 columns."""
    fields: dict[str, Any] = {
        "name": "x",
        "onnx_shape": (1, 3, 4, 5),
        "onnx_dtype": "float32",
        "view_shape": (3, 20),
        "permutation": (1, 0),
        "tensor_shape": (4, 5, 3),
        "scale": float(np.float32(0.1)),
        "zero_point": -3,
    }
    return IoSpec(**(fields | changes))


def test_float_image_is_quantized_and_turned() -> None:
    image = np.random.default_rng(0).normal(0, 8, (1, 3, 4, 5)).astype(np.float32)
    codes = _spec().to_tensor(image)
    expected = np.clip(np.rint(image[0].transpose(1, 2, 0) / np.float32(0.1)) - 3, -128, 127)
    np.testing.assert_array_equal(codes, expected)
    assert codes.dtype == np.int8
    assert codes.flags.c_contiguous


def test_back_from_codes() -> None:
    codes = np.random.default_rng(1).integers(-128, 128, (4, 5, 3)).astype(np.int8)
    value = _spec().from_tensor(codes)
    np.testing.assert_array_equal(
        value[0], ((codes.astype(np.int32) + 3) * np.float32(0.1)).transpose(2, 0, 1).astype(np.float32)
    )
    np.testing.assert_array_equal(_spec().to_tensor(value), codes)


@pytest.mark.parametrize("dtype", ["int8", "uint8"])
def test_integers_are_copied(dtype: str) -> None:
    spec = _spec(onnx_dtype=dtype, unsigned=dtype == "uint8")
    limits = np.iinfo(dtype)
    image = np.random.default_rng(2).integers(limits.min, limits.max + 1, (1, 3, 4, 5)).astype(dtype)
    codes = spec.to_tensor(image)
    np.testing.assert_array_equal(codes, image[0].transpose(1, 2, 0).astype(np.int32) - 128 * (dtype == "uint8"))
    np.testing.assert_array_equal(spec.from_tensor(codes), image)


def test_float_value_of_unsigned_codes() -> None:
    spec = _spec(unsigned=True, zero_point=-128 + 10)
    value = np.full((1, 3, 4, 5), 2.0, np.float32)
    codes = spec.to_tensor(value)
    assert (codes == 20 + 10 - 128).all()
    np.testing.assert_allclose(spec.from_tensor(codes), value, rtol=1e-6)


def test_batches_equal_single_images() -> None:
    spec = _spec()
    images = np.random.default_rng(3).normal(0, 8, (6, 3, 4, 5)).astype(np.float32)
    codes = spec.to_tensors(images)
    assert codes.shape == (6, 4, 5, 3)
    for image, code in zip(images, codes, strict=True):
        np.testing.assert_array_equal(spec.to_tensor(image), code)  # without the batch dimension
    np.testing.assert_array_equal(spec.from_tensors(codes)[2], spec.from_tensor(codes[2])[0])


def test_json_is_exact() -> None:
    spec = _spec()
    assert IoSpec.from_json(json.loads(json.dumps(spec.to_json()))) == spec
    with pytest.raises(TalosError, match="damaged"):
        IoSpec.from_json({"name": "x", "colour": 1})


@pytest.mark.parametrize(
    ("array", "reason"),
    [
        (np.zeros((1, 4, 5, 3), np.float32), "shape 1×4×5×3, but the model needs 1×3×4×5"),
        (np.zeros((2, 3, 4, 5), np.float32), "shape"),
        (np.zeros((1, 3, 4, 5), np.float64), "type float64, but the model needs float32"),
        (np.zeros((1, 3, 4, 5), np.uint8), "type uint8"),
    ],
)
def test_wrong_arrays_are_refused(array: np.ndarray, reason: str) -> None:
    with pytest.raises(TalosError, match=reason):
        _spec().to_tensor(array)


@pytest.mark.parametrize("codes", [np.zeros((3, 4, 5), np.int8), np.zeros((4, 5, 3), np.int32)])
def test_wrong_codes_are_refused(codes: np.ndarray) -> None:
    with pytest.raises(TalosError, match="'x'"):
        _spec().from_tensor(codes)


@pytest.mark.parametrize("changes", [{"tensor_shape": (4, 5, 4)}, {"permutation": (0, 0)}, {"onnx_dtype": "float16"}])
def test_inconsistent_descriptions_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(TalosError, match="inconsistent"):
        _spec(**changes)
