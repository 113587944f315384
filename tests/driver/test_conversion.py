"""The exported driver's quantize and dequantize equal talos.io, bit for bit, for every type and order of the values."""

import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from talos.config import PRESETS
from talos.io import IoSpec
from talos.program import INPUTS, Port, Program
from tests.driver.compiled import compile_driver

IMAGES = 40
SCALE = float(np.float32(0.0173))


def spec(dtype: str, view: tuple[int, ...], order: tuple[int, ...], tensor: tuple[int, int, int], **values: Any) -> IoSpec:
    shape = (1, int(np.prod(tensor)))
    settings = {"scale": SCALE, "zero_point": 0, "unsigned": dtype == "uint8"} | values
    return IoSpec(f"{dtype}.{order}", shape, dtype, view, order, tensor, **settings)


SPECS = (
    spec("float32", (3, 8, 10), (1, 2, 0), (8, 10, 3), zero_point=-7),  # NCHW → NHWC
    spec("float32", (240,), (0,), (8, 10, 3), zero_point=127, unsigned=True, scale=1e-3),
    spec("float32", (4, 3, 2, 5, 2), (3, 0, 4, 2, 1), (5, 8, 6), zero_point=-128, scale=float(np.float32(2.0**-130))),
    spec("float32", (240,), (0,), (1, 1, 240), zero_point=3, scale=float(np.float32(3e38))),
    spec("int8", (3, 80), (1, 0), (8, 10, 3)),
    spec("uint8", (2, 3, 40), (2, 0, 1), (8, 10, 3), zero_point=5),
)


@pytest.fixture(scope="module")
def convert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    inputs = tuple(Port(spec, INPUTS, 256 * index) for index, spec in enumerate(SPECS))
    program = Program("ports", PRESETS["4x4"], bytes(64), 0, 1, (64, 0, 4096, 0), inputs, (), (), ())
    return compile_driver(program, "convert", tmp_path_factory.mktemp("convert"))


def call(convert: Path, direction: str, port: int, values: NDArray[Any]) -> bytes:
    command: list[str | Path] = [convert, direction, str(port), str(len(values))]
    return subprocess.run(command, input=values.tobytes(), capture_output=True, check=True).stdout


def hard_floats(spec: IoSpec, count: int, random: np.random.Generator) -> NDArray[np.float32]:
    """Codes and halfway points and their neighbours, all kinds of bit patterns, infinities, numbers far outside."""
    scale = np.float32(spec.scale)
    with np.errstate(over="ignore", under="ignore"):
        points = (random.integers(-600, 600, count).astype(np.float32) / 2 * scale).astype(np.float32)
        points = np.choose(
            random.integers(0, 3, count), [points, np.nextafter(points, np.float32(9e9)), np.nextafter(points, -points)]
        )
        patterns = random.integers(0, 1 << 32, count, dtype=np.uint32).view(np.float32)
        near = (random.normal(0, 100, count) * spec.scale).astype(np.float32)
    special = random.choice(np.array([np.inf, -np.inf, 0.0, -0.0, 3e38, -3e38, 1e-45], np.float32), count)
    values: NDArray[np.float32] = np.choose(random.integers(0, 4, count), [points, patterns, near, special]).astype(np.float32)
    values[np.isnan(values)] = 0
    return values


@pytest.mark.parametrize("port", range(len(SPECS)))
def test_quantize(convert: Path, port: int) -> None:
    spec, random = SPECS[port], np.random.default_rng(port)
    size = IMAGES * spec.onnx_shape[1]
    if spec.quantized:
        values: NDArray[Any] = random.integers(0, 256, size, dtype=np.uint8).view(spec.onnx_dtype)
    else:
        values = hard_floats(spec, size, random)
    values = values.reshape(IMAGES, *spec.onnx_shape[1:])
    codes = np.frombuffer(call(convert, "quantize", port, values), np.int8).reshape(IMAGES, *spec.tensor_shape)
    np.testing.assert_array_equal(codes, spec.to_tensors(values))
    assert len(np.unique(codes)) > 2


@pytest.mark.parametrize("port", range(len(SPECS)))
def test_dequantize(convert: Path, port: int) -> None:
    spec = SPECS[port]
    codes = np.random.default_rng(port).integers(-128, 128, (IMAGES, *spec.tensor_shape), dtype=np.int8)
    with np.errstate(over="ignore"):
        expected = spec.from_tensors(codes)
    values = np.frombuffer(call(convert, "dequantize", port, codes), spec.onnx_dtype).reshape(expected.shape)
    np.testing.assert_array_equal(values.view(np.uint8), expected.view(np.uint8))


def test_nan_is_an_error(convert: Path) -> None:
    values = np.zeros(SPECS[0].onnx_shape, np.float32)
    for bits in (0x7FC00000, 0xFFC00000, 0x7F800001):
        values.reshape(-1)[17] = np.uint32(bits).view(np.float32)
        done = subprocess.run([convert, "quantize", "0", "1"], input=values.tobytes(), capture_output=True, check=False)
        assert done.returncode == 3  # TALOS_ERROR_NOT_A_NUMBER
