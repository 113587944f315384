"""talos evaluate: its numbers, its look, and what it refuses."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from talos.model.functional import FunctionalModel
from talos.report.evaluation import evaluation_report
from talos.runtime import metrics
from talos.runtime.metrics import measure
from talos.runtime.samples import load_arrays
from tests.cli_runner import DIGITS, MODELS, Talos, runner

SAMPLES = MODELS / "digits.npz"
IMAGES = "40"


@pytest.fixture
def talos(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Talos:
    return runner(monkeypatch, capsys)


def test_metrics_by_hand() -> None:
    """Three classes; the third is never predicted and the fourth never there."""
    labels = np.array([0, 0, 0, 1, 1, 2])
    found = measure(labels, [0, 0, 1, 1, 1, 0], [0, 1, 2, 3])
    assert found.accuracy == pytest.approx(4 / 6)
    assert [scores.images for scores in found.classes] == [3, 2, 1, 0]
    assert [scores.precision for scores in found.classes] == pytest.approx([2 / 3, 2 / 3, 0, 0])
    assert [scores.recall for scores in found.classes] == pytest.approx([2 / 3, 1, 0, 0])
    assert [scores.f1 for scores in found.classes] == pytest.approx([2 / 3, 0.8, 0, 0])
    assert (found.precision, found.recall, found.f1) == pytest.approx(((4 / 3) / 4, (5 / 3) / 4, (2 / 3 + 0.8) / 4))
    assert found.confusion == [[2, 1, 0, 0], [0, 2, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0]]


def test_evaluation_of_the_digits(talos: Talos, tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    done = talos("evaluate", DIGITS, "--data", SAMPLES, "--images", IMAGES, "--config", "4x4", "--json", path)
    assert done.status == 0 and done.err == ""
    values = json.loads(path.read_text())
    labels = load_arrays(SAMPLES)["y"][:40]
    for variant in ("float", "onnxruntime", "talos"):
        confusion = np.array(values[variant]["confusion"])
        assert confusion.sum(axis=1).tolist() == np.bincount(labels, minlength=10).tolist()
        assert values[variant]["accuracy"] == pytest.approx(np.trace(confusion) / 40)
    assert values["agreement"] == {"top1": 1.0, "bytes": 400, "mismatched_bytes": 0}
    assert (values["images"], values["data"], values["config"]) == (40, str(SAMPLES), "4x4")
    for words in ("accuracy", "precision", "recall", "F1", "Confusion matrix of float = onnxruntime int8 = Talos"):
        assert words in done.out
    assert "same class for 40 of 40 images (100.00%); 400 of 400 output bytes are equal" in done.out


def test_a_wrong_class_shows(talos: Talos, monkeypatch: pytest.MonkeyPatch) -> None:
    right = FunctionalModel.run_codes

    def wrong(self: FunctionalModel, *arguments: Any) -> dict[str, Any]:
        codes = right(self, *arguments)
        codes["logits"].reshape(-1)[:] = np.roll(codes["logits"].reshape(-1), 1)
        return codes

    monkeypatch.setattr(FunctionalModel, "run_codes", wrong)
    done = talos("evaluate", DIGITS, "--data", SAMPLES, "--images", IMAGES, "--config", "4x4", "--no-float", "--json", "-")
    values = json.loads(done.out)
    assert values["float"] is None and values["onnxruntime"]["accuracy"] > 0.9
    assert values["talos"]["accuracy"] < 0.1 and values["agreement"]["top1"] == 0
    assert values["agreement"]["mismatched_bytes"] > 0
    text = talos("evaluate", DIGITS, "--data", SAMPLES, "--images", "5", "--config", "4x4").out
    assert "Confusion matrix of float = onnxruntime int8 (" in text and "Confusion matrix of Talos (" in text
    assert "float = int8" in text and "same class for 0 of 5 images (0.00%)" in text


def test_quiet_prints_nothing(talos: Talos) -> None:
    done = talos("evaluate", DIGITS, "--data", SAMPLES, "--images", "2", "--config", "4x4", "--quiet")
    assert (done.status, done.out, done.err) == (0, "", "")


def test_progress_is_reported(monkeypatch: pytest.MonkeyPatch, talos: Talos) -> None:
    stages: list[tuple[str, int, int]] = []

    class Bar:
        def __enter__(self) -> Any:
            return lambda *step: stages.append(step)

        def __exit__(self, *_: object) -> None:
            pass

    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("talos.cli.progress_bar.ProgressBar", Bar)
    assert talos("evaluate", DIGITS, "--data", SAMPLES, "--images", "3", "--config", "4x4", "--quiet").status == 0
    assert stages == []  # quiet means quiet
    assert talos("evaluate", DIGITS, "--data", SAMPLES, "--images", "3", "--config", "4x4").status == 0
    assert {("functional model against onnxruntime", 3, 3), ("float model in onnxruntime", 3, 3)} <= set(stages)


def test_many_classes_leave_the_matrix_to_json() -> None:
    from talos.runtime.evaluate import Evaluation

    labels = np.arange(30)
    found = measure(labels, labels.tolist(), list(range(30)))
    result = Evaluation(None, 30, "x", None, found, found, 30, 300, 0)  # type: ignore[arg-type]  # the report reads no program
    assert "The confusion matrices of 30 classes are in the output of --json" in [str(part) for part in evaluation_report(result)]


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"x": "x"}, "no labels; add an array 'y' of one integer per image"),
        ({"x": "x", "y": "floats"}, "array 'y' is float64 3; labels are one integer per image, 3 here"),
        ({"x": "x", "y": "short"}, "array 'y' is int64 2; labels are one integer per image, 3 here"),
        ({"y": "labels"}, "array 'y' is 3, but input 'input' needs n×1×8×8"),
    ],
)
def test_bad_data_is_refused(talos: Talos, tmp_path: Path, arrays: dict[str, str], words: str) -> None:
    source = load_arrays(SAMPLES)
    choices = {"x": source["x"][:3], "labels": source["y"][:3], "floats": source["y"][:3] * 1.0, "short": source["y"][:2]}
    path = tmp_path / "data.npz"
    chosen: dict[str, Any] = {name: choices[kind] for name, kind in arrays.items()}
    np.savez(path, **chosen)
    done = talos("evaluate", DIGITS, "--data", path, "--config", "4x4")
    assert done.status == 2 and done.out == "" and words in done.err and len(done.err.splitlines()) == 1


def test_missing_scikit_learn_is_named(talos: Talos, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "find_spec", lambda name: None)
    done = talos("evaluate", DIGITS, "--data", SAMPLES)
    assert done.status == 2 and "pip install 'talos-accelerator[evaluate]'" in done.err
