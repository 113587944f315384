"""talos report: the file, the JSON, and what it refuses."""

import importlib.util
import json
from pathlib import Path

import pytest

from talos.compiler.pipeline import compile_model
from talos.config import PRESETS
from talos.model.timing.core import simulate
from talos.runtime.samples import load_arrays
from tests.cli_runner import DIGITS, MODELS, Talos, runner

pytest.importorskip("plotly", reason="the report needs plotly: pip install 'talos-accelerator[report]'")


@pytest.fixture
def talos(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Talos:
    return runner(monkeypatch, capsys)


def test_report_of_the_digits(talos: Talos, tmp_path: Path) -> None:
    page, numbers = tmp_path / "digits.html", tmp_path / "digits.json"
    done = talos("report", DIGITS, "-o", page, "--images", "3", "--mhz", "50", "--json", numbers)
    assert (done.status, done.err) == (0, "")
    assert page.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    values = json.loads(numbers.read_text())
    cycles = simulate(compile_model(DIGITS, PRESETS["8x8"], load_arrays(MODELS / "digits.npz")).program).cycles
    assert f"{page}: digits.onnx on 8x8, {cycles:,} cycles" in done.out
    assert (values["cycles"], values["macs"], values["images"], values["mismatched_bytes"]) == (cycles, 101696, 3, 0)
    assert values["seconds"] == pytest.approx(cycles / 50e6)
    assert sum(layer["cycles"] for layer in values["layers"]) == cycles
    assert sum(layer["bytes"]["weights"] for layer in values["layers"]) == values["dram_bytes"]["weights"] > 0
    assert set(values["accuracy"]) == {"float32", "onnxruntime", "talos"}


def test_quiet(talos: Talos, tmp_path: Path) -> None:
    done = talos("report", DIGITS, "-o", tmp_path / "d.html", "--images", "1", "--memory", "latency=200", "--quiet")
    assert (done.status, done.out, done.err) == (0, "", "")


def test_refusals(talos: Talos, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    missing = tmp_path / "no" / "d.html"
    for arguments, words in (
        ((DIGITS, "-o", missing), "there is no folder"),
        ((tmp_path / "none.onnx", "-o", tmp_path / "d.html"), "none.onnx"),
        ((DIGITS, "-o", tmp_path / "d.html", "--data", tmp_path / "none.npz"), "cannot be read"),
        ((DIGITS, "-o", tmp_path / "d.html", "--mhz", "0"), "--mhz"),
    ):
        done = talos("report", *arguments)
        assert done.status == 2 and words in done.err and done.err.count("\n") == 1, done.err
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    done = talos("report", DIGITS, "-o", tmp_path / "d.html")
    assert done.status == 2 and "talos-accelerator[report]" in done.err
    assert not list(tmp_path.iterdir())
