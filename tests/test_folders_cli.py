"""A folder of .npy and .npz files in the place of one file."""

import json
from pathlib import Path

import numpy as np
import pytest

from talos.runtime.samples import load_arrays
from tests.cli_runner import DIGITS, MODELS, Talos, runner

SAMPLES = MODELS / "digits.npz"
IMAGES = 12


@pytest.fixture
def talos(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Talos:
    return runner(monkeypatch, capsys)


def _files(folder: Path, sizes: list[int], *, batched: bool = True) -> Path:
    """The first `IMAGES` digits with labels, `sizes` of them in each file; without `batched` one image of no batch dimension."""
    arrays = load_arrays(SAMPLES)
    folder.mkdir()
    start = 0
    for number, size in enumerate(sizes):
        part = slice(start, start + size) if batched else start
        np.savez(folder / f"{number:02}.npz", x=arrays["x"][part], y=arrays["y"][part])
        start += size
    assert start == IMAGES
    return folder


FORMS = [([1] * IMAGES, False), ([1] * IMAGES, True), ([4, 4, 4], True), ([12], True), ([5, 4, 3], True)]


@pytest.mark.parametrize(("sizes", "batched"), FORMS)
def test_run_takes_the_images_of_a_folder(talos: Talos, tmp_path: Path, sizes: list[int], batched: bool) -> None:
    folder, one = _files(tmp_path / "images", sizes, batched=batched), tmp_path / "one.npz"
    arrays = load_arrays(SAMPLES)
    np.savez(one, x=arrays["x"][:IMAGES], y=arrays["y"][:IMAGES])
    results = []
    for source in (folder, one):
        output = tmp_path / "y.npy"
        done = talos("run", DIGITS, "--calibrate", SAMPLES, "--config", "4x4", "--input", source, "--output", output)
        assert done.status == 0, done.err
        results.append((np.load(output), done.out.replace(str(source), "")))
    np.testing.assert_array_equal(results[0][0], results[1][0])
    assert results[0][1] == results[1][1]


def test_verify_and_evaluate(talos: Talos, tmp_path: Path) -> None:
    folder, report = _files(tmp_path / "images", [5, 7]), tmp_path / "report.json"
    done = talos("verify", DIGITS, "--config", "4x4", "--input", folder, "--rtl-images", "0")
    assert done.status == 0 and f"{IMAGES} images compared" in done.out
    done = talos("evaluate", DIGITS, "--config", "4x4", "--data", folder, "--json", report)
    assert done.status == 0 and json.loads(report.read_text())["images"] == IMAGES


def test_a_folder_of_nothing(talos: Talos, tmp_path: Path) -> None:
    done = talos("run", DIGITS, "--calibrate", SAMPLES, "--input", tmp_path)
    assert done.status == 2 and "the folder holds no .npy or .npz files" in done.err
