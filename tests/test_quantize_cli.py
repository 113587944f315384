"""`talos quantize`: the model it writes, what it says, and what it refuses."""

import json
from pathlib import Path

import numpy as np
import onnx
import pytest

from talos.cli.sources import optional_arrays
from talos.compiler.quantization.calibrate import calibration_arrays
from talos.compiler.reading.load import fix_batch, load_model
from talos.errors import TalosError
from talos.program import Program
from tests.cli_runner import DIGITS, MODELS, Talos, runner
from tests.compiler.qdq_models import session

SAMPLES = MODELS / "digits.npz"


@pytest.fixture
def talos(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Talos:
    return runner(monkeypatch, capsys)


def _accuracy(path: Path) -> float:
    data = np.load(SAMPLES)
    model = session(onnx.load(path))
    name = model.get_inputs()[0].name
    images = data["x"][:200]
    found = [int(np.argmax(model.run(None, {name: image[np.newaxis]})[0])) for image in images]
    return float((np.array(found) == data["y"][: len(images)]).mean())


@pytest.mark.parametrize("method", ["minmax", "entropy", "percentile"])
def test_quantized_digits_are_as_good(talos: Talos, tmp_path: Path, method: str) -> None:
    path = tmp_path / "int8.onnx"
    done = talos("quantize", DIGITS, "--calibrate", SAMPLES, "-o", path, "--method", method)
    assert (done.status, done.err) == (0, "")
    onnx.checker.check_model(str(path), full_check=True)
    assert f"{path}: digits.onnx quantized with 200 samples ({method})" in done.out
    assert "quantized: 13 nodes (1 Add, 4 Conv," in done.out and "stays float: nothing" in done.out
    assert _accuracy(path) >= _accuracy(DIGITS) - 0.01


def test_one_way_to_quantize(talos: Talos, tmp_path: Path) -> None:
    """Quantize and compile: the same program as compile with samples."""
    model = tmp_path / "digits.onnx"
    assert talos("quantize", DIGITS, "--calibrate", SAMPLES, "-o", model, "--quiet").out == ""
    assert talos("compile", model, "-o", tmp_path / "a.talos").status == 0
    assert talos("compile", DIGITS, "-o", tmp_path / "b.talos", "--calibrate", SAMPLES).status == 0
    first, second = (Program.load(tmp_path / name) for name in ("a.talos", "b.talos"))
    assert first.constants == second.constants and first.instruction_count == second.instruction_count


def test_json_names_every_node(talos: Talos, tmp_path: Path) -> None:
    path = tmp_path / "int8.onnx"
    exclude = "/classifier/Gemm"
    arguments = ("--samples", 20, "--exclude", exclude, "--per-tensor", "--method", "percentile", "--percentile", 99.9)
    done = talos("quantize", DIGITS, "--calibrate", SAMPLES, "-o", path, *arguments, "--json", "-")
    values = json.loads(done.out)
    assert {key: values[key] for key in ("method", "percentile", "per_channel", "samples")} == {
        "method": "percentile",
        "percentile": 99.9,
        "per_channel": False,
        "samples": 20,
    }
    assert [row["node"] for row in values["float"]] == [exclude]
    nodes = [row["node"] for key in ("quantized", "float", "folded") for row in values[key]]
    assert sorted(nodes) == sorted(node.name for node in onnx.load(DIGITS).graph.node)


def _folder(tmp_path: Path, parts: dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float32]]]) -> Path:
    folder = tmp_path / "samples"
    folder.mkdir()
    for name, array in parts.items():
        if name.endswith(".npy"):
            np.save(folder / name, array)
        else:
            np.savez(folder / name, x=array)
    return folder


def test_a_folder_of_samples_or_batches(talos: Talos, tmp_path: Path) -> None:
    data = np.load(SAMPLES)["calibrate"][:12]
    model = fix_batch(load_model(DIGITS), "digits")
    name = str(model.graph.input[0].name)
    layouts = {
        "one each": {f"{i:02}.npy": image for i, image in enumerate(data)},
        "one each, as batches": {f"{i:02}.npz": image[np.newaxis] for i, image in enumerate(data)},
        "equal batches": {f"{i}.npz": data[4 * i : 4 * i + 4] for i in range(3)},
        "unequal": {"a.npy": data[:5], "b.npz": data[5:11], "c.npy": data[11]},
    }
    for layout, parts in layouts.items():
        (tmp_path / layout).mkdir()
        arrays = optional_arrays(_folder(tmp_path / layout, parts))
        assert arrays is not None
        np.testing.assert_array_equal(calibration_arrays(model, arrays, "digits")[name], data, err_msg=layout)
    folder = tmp_path / "unequal" / "samples"
    assert talos("quantize", DIGITS, "--calibrate", folder, "-o", tmp_path / "q.onnx").status == 0
    assert talos("compile", DIGITS, "--calibrate", folder, "-o", tmp_path / "p.talos").status == 0


def test_folders_without_use(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(TalosError, match=r"empty: the folder holds no \.npy or \.npz files"):
        optional_arrays(tmp_path / "empty")
    mixed = _folder(tmp_path, {"a.npy": np.zeros((2, 3), np.float32), "b.npy": np.zeros((2, 4), np.float32)})
    with pytest.raises(TalosError, match=r"the arrays 'x' have shapes that do not go together \(2×3, 2×4\)"):
        optional_arrays(mixed)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (
            ("--exclude", "/classifier/Gem"),
            "there is no node '/classifier/Gem' to exclude; the nearest name is '/classifier/Gemm'",
        ),
        (("--method", "mean"), "unknown calibration method 'mean'; choose minmax, entropy, percentile"),
        (("--percentile", 99), "--percentile has a meaning only with --method percentile"),
        (("--method", "percentile", "--percentile", 101), "percentile 101.0 is not above 50 and at most 100"),
        (("--samples", 0), "--samples"),
    ],
)
def test_bad_options_write_nothing(talos: Talos, tmp_path: Path, arguments: tuple[object, ...], reason: str) -> None:
    done = talos("quantize", DIGITS, "--calibrate", SAMPLES, "-o", tmp_path / "q.onnx", *arguments)
    assert done.status == 2 and reason in done.err and done.err.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_bad_files(talos: Talos, tmp_path: Path) -> None:
    path = tmp_path / "q.onnx"
    assert talos("quantize", DIGITS, "--calibrate", SAMPLES, "-o", path).status == 0
    for arguments, reason in (
        ((path, "--calibrate", SAMPLES, "-o", tmp_path / "r.onnx"), "q.onnx: the model is quantized already"),
        ((DIGITS, "--calibrate", tmp_path / "none.npz", "-o", tmp_path / "r.onnx"), "none.npz: cannot be read"),
        ((DIGITS, "--calibrate", DIGITS, "-o", tmp_path / "r.onnx"), "digits.onnx: not an .npy or .npz file"),
        ((DIGITS, "--calibrate", SAMPLES, "-o", tmp_path / "no" / "r.onnx"), "r.onnx: cannot be written"),
        ((tmp_path / "m.onnx", "--calibrate", SAMPLES, "-o", tmp_path / "r.onnx"), "m.onnx: cannot read the model"),
    ):
        done = talos("quantize", *arguments)
        assert done.status == 2 and reason in done.err and done.err.count("\n") == 1
    assert [file.name for file in tmp_path.iterdir()] == ["q.onnx"]
