"""The networks in models/: what the files hold, that they are as accurate as stated, and the data they were trained on."""

import gzip
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import pytest
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static

from talos.errors import TalosError

ROOT = Path(__file__).parents[1]
MODELS = ROOT / "models"


class Expected(NamedTuple):
    """What models/README.md and the issue that asked for the network say."""

    name: str
    script: str
    side: int
    macs: int
    wrong: int
    ops: list[str]


DIGITS = Expected(
    "digits",
    "train_digits",
    8,
    101_696,
    2,
    ["Conv", "Relu", "MaxPool", "Conv", "Relu", "Conv", "Add", "Relu", "Conv", "Relu", "GlobalAveragePool", "Flatten", "Gemm"],
)
TALOS_MNIST = Expected("talos_mnist", "talos_mnist", 28, 31_096, 3, ["Conv", "Relu", "MaxPool", "Flatten", "Gemm"])
Script = Callable[..., subprocess.CompletedProcess[str]]
BOTH = pytest.mark.parametrize("expected", [DIGITS, TALOS_MNIST], ids=lambda expected: expected.name)


@pytest.fixture
def data(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module `models.digits_data`, whatever folder pytest was started in."""
    monkeypatch.syspath_prepend(str(ROOT))
    from models import digits_data

    return digits_data


def load_samples(name: str) -> dict[str, npt.NDArray[np.generic]]:
    with np.load(MODELS / f"{name}.npz") as arrays:
        return dict(arrays)


def count_macs(model: onnx.ModelProto) -> int:
    """Multiply-accumulates of all Conv and Gemm nodes: weights times output positions."""
    graph = onnx.shape_inference.infer_shapes(model, strict_mode=True).graph
    shapes = {v.name: [d.dim_value for d in v.type.tensor_type.shape.dim] for v in [*graph.value_info, *graph.output]}
    weights = {tensor.name: list(tensor.dims) for tensor in graph.initializer}
    macs = 0
    for node in graph.node:
        if node.op_type in ("Conv", "Gemm"):
            macs += int(np.prod(weights[node.input[1]]) * np.prod(shapes[node.output[0]][2:]))
    return macs


def predict(model: Path, images: npt.NDArray[np.generic]) -> npt.NDArray[np.int64]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.add_session_config_entry("session.qdqisint8allowed", "1")
    session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    return np.array([session.run(["logits"], {"input": image[np.newaxis]})[0].argmax() for image in images])


@BOTH
def test_file_is_one_fixed_shape_opset_18_graph(expected: Expected) -> None:
    path = MODELS / f"{expected.name}.onnx"
    model = onnx.load(path, load_external_data=False)
    onnx.checker.check_model(model, full_check=True)
    assert [(o.domain, o.version) for o in model.opset_import] == [("", 18)]
    assert not any(onnx.external_data_helper.uses_external_data(tensor) for tensor in model.graph.initializer)
    assert [node.op_type for node in model.graph.node] == expected.ops
    assert len({node.name for node in model.graph.node}) == len(expected.ops)
    for values, name, shape in [
        (model.graph.input, "input", [1, 1, expected.side, expected.side]),
        (model.graph.output, "logits", [1, 10]),
    ]:
        assert [value.name for value in values] == [name]
        assert values[0].type.tensor_type.elem_type == onnx.TensorProto.FLOAT
        assert [dim.dim_value for dim in values[0].type.tensor_type.shape.dim] == shape
    assert b".py" not in path.read_bytes(), "the exporter left source locations in the file"


@BOTH
def test_macs(expected: Expected) -> None:
    assert count_macs(onnx.load(MODELS / f"{expected.name}.onnx")) == expected.macs


@BOTH
def test_samples_are_what_the_data_module_makes(expected: Expected, data: ModuleType) -> None:
    path = MODELS / f"{expected.name}.npz"
    assert path.stat().st_size <= 300 * 1024
    split = data.split_digits(*(data.small_digits() if expected is DIGITS else data.upscaled_digits()))
    samples = load_samples(expected.name)
    assert sorted(samples) == ["calibrate", "x", "y"]
    for name, made, shape in [
        ("calibrate", split.calibrate, (200, 1, expected.side, expected.side)),
        ("x", split.x_test, (360, 1, expected.side, expected.side)),
        ("y", split.y_test, (360,)),
    ]:
        assert samples[name].shape == shape
        assert samples[name].dtype == made.dtype == (np.int64 if name == "y" else np.float32)
        assert np.array_equal(samples[name], made)


@BOTH
def test_float_accuracy_is_at_least_what_the_readme_states(expected: Expected) -> None:
    samples = load_samples(expected.name)
    wrong = int(np.sum(predict(MODELS / f"{expected.name}.onnx", samples["x"]) != samples["y"]))
    assert wrong <= expected.wrong
    accuracy = 100 * (1 - expected.wrong / len(samples["y"]))
    assert accuracy >= 98
    row = next(line for line in (MODELS / "README.md").read_text().splitlines() if f"| `{expected.name}.onnx` |" in line)
    assert f"| {expected.macs:,} | {accuracy:.2f} % | {expected.wrong} / 360 | `python -m models.{expected.script}` |" in row


@BOTH
@pytest.mark.parametrize("activations", [QuantType.QUInt8, QuantType.QInt8], ids=["uint8", "int8"])
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_quantization_keeps_the_accuracy(expected: Expected, activations: QuantType, tmp_path: Path) -> None:
    samples = load_samples(expected.name)

    class Reader(CalibrationDataReader):  # type: ignore[misc]  # onnxruntime has no type information
        def __init__(self) -> None:
            self.feeds = iter([{"input": image[np.newaxis]} for image in samples["calibrate"]])

        def get_next(self) -> dict[str, npt.NDArray[np.generic]] | None:
            return next(self.feeds, None)

    quantized = tmp_path / "quantized.onnx"
    quantize_static(
        MODELS / f"{expected.name}.onnx",
        quantized,
        Reader(),
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        activation_type=activations,
        weight_type=QuantType.QInt8,
        calibrate_method=CalibrationMethod.MinMax,
    )
    wrong = int(np.sum(predict(quantized, samples["x"]) != samples["y"]))
    assert wrong <= expected.wrong + 2, f"{wrong} of 360 wrong after quantization"


def test_split_is_stratified_and_disjoint(data: ModuleType) -> None:
    images, labels = data.small_digits()
    assert images.shape == (1797, 1, 8, 8) and images.min() == 0 and images.max() == 1
    numbered = np.arange(1797, dtype=np.float32).reshape(-1, 1, 1, 1)
    split = data.split_digits(numbered, labels)
    assert sorted([*split.x_train.ravel(), *split.x_test.ravel()]) == list(range(1797))
    assert np.array_equal(labels[split.x_test.ravel().astype(int)], split.y_test)
    share = np.bincount(split.y_test, minlength=10) / np.bincount(labels, minlength=10)
    assert np.all(np.abs(share - 0.2) < 0.01)
    assert np.array_equal(split.calibrate, split.x_train[:200])


def test_upscaling_is_onnx_half_pixel_bilinear(data: ModuleType) -> None:
    small, labels = data.small_digits()
    large, same = data.upscaled_digits()
    assert np.array_equal(labels, same)
    node = onnx.helper.make_node("Resize", ["x", "", "", "sizes"], ["y"], mode="linear")
    graph = onnx.helper.make_graph(
        [node],
        "resize",
        [onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [20, 1, 8, 8])],
        [onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [20, 1, 20, 20])],
        [onnx.numpy_helper.from_array(np.array([20, 1, 20, 20], np.int64), "sizes")],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=8)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    wanted = session.run(None, {"x": small[:20]})[0]
    assert np.max(np.abs(large[:20, :, 4:24, 4:24] - wanted)) <= 0.5 / 255 + 1e-6
    large[:, :, 4:24, 4:24] = 0
    assert not large.any(), "the border is not empty"


def test_npz_and_idx_files_give_the_same_digits(data: ModuleType, tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    pixels, labels = rng.integers(0, 256, (7, 28, 28), np.uint8), rng.integers(0, 10, 7, np.uint8)
    np.savez(tmp_path / "bytes.npz", x=pixels, y=labels)
    np.savez(tmp_path / "floats.npz", x=(pixels / 255)[:, np.newaxis], y=labels.astype(np.int32))
    images = b"\0\0\x08\x03" + np.array(pixels.shape, ">u4").tobytes() + pixels.tobytes()
    (tmp_path / "images.gz").write_bytes(gzip.compress(images))
    (tmp_path / "labels").write_bytes(b"\0\0\x08\x01" + np.array([7], ">u4").tobytes() + labels.tobytes())
    for x, y in [
        data.npz_digits(tmp_path / "bytes.npz"),
        data.npz_digits(tmp_path / "floats.npz"),
        data.idx_digits(tmp_path / "images.gz", tmp_path / "labels"),
    ]:
        assert x.dtype == np.float32 and np.array_equal(x, (pixels / 255).astype(np.float32)[:, np.newaxis])
        assert y.dtype == np.int64 and np.array_equal(y, labels)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x": np.zeros((2, 28, 28), np.uint8)}, "no array named"),
        ({"x": np.zeros((2, 8, 8), np.uint8), "y": np.zeros(2, int)}, "not N×28×28"),
        ({"x": np.zeros((2, 28, 28), np.uint8), "y": np.zeros(3, int)}, "labels are int64"),
        ({"x": np.zeros((2, 28, 28), np.uint8), "y": np.full(2, 10)}, "labels must be 0…9"),
        ({"x": np.zeros((2, 28, 28), np.int32), "y": np.zeros(2, int)}, "images have type int32"),
        ({"x": np.full((2, 28, 28), 255.0), "y": np.zeros(2, int)}, "must be in 0…1"),
        ({"x": np.full((2, 28, 28), np.nan), "y": np.zeros(2, int)}, "must be in 0…1"),
    ],
)
def test_bad_npz_is_refused(data: ModuleType, tmp_path: Path, arrays: dict[str, npt.NDArray[np.generic]], message: str) -> None:
    path = tmp_path / "bad.npz"
    np.savez(path, **arrays)  # type: ignore[arg-type]  # numpy's stub takes the names for its own keyword
    with pytest.raises(TalosError, match=message) as error:
        data.npz_digits(path)
    assert str(path) in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x03\x04 not a zip", b"\x93NUMPY"])
def test_unreadable_files_are_refused(data: ModuleType, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bad"
    path.write_bytes(content)
    with pytest.raises(TalosError, match="bad: "):
        data.npz_digits(path)
    with pytest.raises(TalosError, match="is not an idx file"):
        data.idx_digits(path, path)


def test_truncated_idx_is_refused(data: ModuleType, tmp_path: Path) -> None:
    idx = b"\0\0\x08\x01" + np.array([7], ">u4").tobytes() + bytes(6)
    for name, content, message in [("plain", idx, "truncated"), ("packed", gzip.compress(idx)[:-4], "cannot be read")]:
        (tmp_path / name).write_bytes(content)
        with pytest.raises(TalosError, match=message):
            data.idx_digits(tmp_path / name, tmp_path / name)


def test_too_few_images_are_refused(data: ModuleType) -> None:
    with pytest.raises(TalosError, match="give more images"):
        data.split_digits(np.zeros((3, 1, 28, 28), np.float32), np.array([0, 0, 1]))


@pytest.fixture
def run_script(tmp_path_factory: pytest.TempPathFactory) -> Script:
    """Runs a script of models/ as its user does, in a Python that cannot import PyTorch."""
    blocker = tmp_path_factory.mktemp("no_torch")
    (blocker / "torch.py").write_text("raise ImportError('blocked')")

    def run(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", f"models.{script}", *arguments],
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": str(blocker)},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run


@BOTH
def test_script_explains_itself_without_torch(expected: Expected, run_script: Script) -> None:
    result = run_script(expected.script, "--help")
    assert result.returncode == 0, result.stderr
    assert f"{expected.name}.onnx" in result.stdout and "--seed" in result.stdout


@BOTH
def test_script_without_torch_says_what_to_install(expected: Expected, run_script: Script, tmp_path: Path) -> None:
    result = run_script(expected.script, "--output", str(tmp_path / "new.onnx"))
    assert result.returncode == 2
    assert result.stderr.startswith("talos: error: training needs PyTorch") and result.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_script_refuses_a_bad_output_and_bad_images(run_script: Script, tmp_path: Path) -> None:
    for arguments, message in [
        (["--output", str(tmp_path / "none" / "new.onnx")], "does not exist"),
        (["--output", str(tmp_path / "new.pt")], "must end in .onnx"),
        (["--output", str(tmp_path / "new.onnx"), "--images", str(tmp_path / "none.npz")], "none.npz: cannot be read"),
    ]:
        result = run_script("talos_mnist", *arguments)
        assert result.returncode == 2 and message in result.stderr and result.stderr.count("\n") == 1
