"""Trained networks of other people, where they are at hand: every layer and result equals onnxruntime byte for byte."""

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from tests.compiler.qdq_models import compare

ZOO = Path(__file__).parents[3] / "shared" / "zoo"
pytestmark = pytest.mark.skipif(not ZOO.is_dir(), reason=f"the network collection is not at {ZOO}")

Array = npt.NDArray[Any]
IMAGES = 2


def _digits() -> Array:
    with gzip.open(ZOO / "data" / "mnist_t10k-images-idx3-ubyte.gz") as file:
        raw = file.read(16 + IMAGES * 784)
    return np.frombuffer(raw[16:], np.uint8).reshape(IMAGES, 1, 28, 28).astype(np.float32)


def _array(file: str, count: int = IMAGES) -> Array:
    return np.asarray(np.load(ZOO / "data" / f"{file}.npz")["x"][:count])


def _imagenet_normalized(images: Array) -> Array:
    mean, deviation = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    return np.asarray(((images / 255 - mean) / deviation).astype(np.float32).transpose(0, 3, 1, 2))


def _signed(images: Array) -> Array:
    codes: Array = (images ^ np.uint8(0x80)).view(np.int8)
    return codes


def _keywords(count: int = IMAGES) -> Array:
    return (_array("kws01_mfcc1000", count).reshape(-1, 49, 10, 1).astype(np.float32) - 83) * np.float32(0.584703)


@pytest.mark.parametrize(
    ("file", "name", "images", "layers"),
    [
        ("mnist8_cntk_ort_qdq", "Input3", _digits, 5),
        ("tiny_ic_resnet8_ort_qdq", "input_1", lambda: _array("cifar10jpg_test1000").astype(np.float32), 11),
        ("resnet20_cifar_ts_ort_qdq", "input", lambda: _imagenet_normalized(_array("cifar10jpg_test1000")), 23),
        ("tiny_ic_resnet8_tflite_qdq", "input_1_int8", lambda: _signed(_array("cifar10jpg_test1000")), 11),
        ("tiny_kws_dscnn_tflite_qdq", "input_1", lambda: _array("kws01_mfcc1000").reshape(-1, 49, 10, 1), 11),
        ("tiny_vww_mbv1_tflite_qdq", "input_1_int8", lambda: _signed(_array("coco256_vww96")), 29),
    ],
)
def test_quantized_networks(file: str, name: str, images: Callable[[], Array], layers: int) -> None:
    result = compare(ZOO / "models" / f"{file}.onnx", {name: images()})
    assert len(result.graph.layers) == layers


@pytest.mark.parametrize(
    ("file", "name", "images", "calibration"),
    [
        ("mnist8_cntk", "Input3", _digits, lambda: _array("mnist_train_calib200", 20).reshape(-1, 1, 28, 28).astype(np.float32)),
        (
            "tiny_ic_resnet8",
            "input_1",
            lambda: _array("cifar10jpg_test1000").astype(np.float32),
            lambda: _array("cifar10png_calib200", 20).astype(np.float32),
        ),
        (
            "resnet20_cifar_ts",
            "input",
            lambda: _imagenet_normalized(_array("cifar10jpg_test1000")),
            lambda: _imagenet_normalized(_array("cifar10png_calib200", 20)),
        ),
        ("tiny_kws_dscnn", "input_1", _keywords, lambda: _keywords(20)),
        (
            "tiny_vww_mbv1",
            "input_1",
            lambda: _array("coco256_vww96").astype(np.float32) / np.float32(255),
            lambda: _array("coco256_vww96", 20).astype(np.float32) / np.float32(255),
        ),
    ],
)
def test_float_networks(file: str, name: str, images: Callable[[], Array], calibration: Callable[[], Array]) -> None:
    compare(ZOO / "models" / f"{file}.onnx", {name: images()}, calibrate={name: calibration()})
