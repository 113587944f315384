"""Malformed models at the command line: exit status 2, one line on standard error, no traceback, no file left behind."""

from pathlib import Path

import numpy as np
import pytest

from tests.cli_runner import Talos, runner
from tests.malformed.catalogue import CASES
from tests.malformed.run import save
from tests.quirks.registry import Network

NAMES = (
    "directory", "text_file", "missing_external_data", "data_twice", "cycle", "sparse_initializer", "recursion", "future_opset",
    "dynamic_height", "huge_dimension", "stride_0", "group_not_dividing", "wrong_kernel_shape", "nan_scale", "scale_axis",
    "nan_weight", "attention",
)  # fmt: skip


@pytest.fixture
def talos(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Talos:
    return runner(monkeypatch, capfd)  # of the process, not of Python: onnxruntime writes to the streams itself


@pytest.mark.parametrize("name", NAMES)
def test_compile(name: str, talos: Talos, tmp_path: Path) -> None:
    made = CASES[name].build(tmp_path)
    path = save(made, tmp_path)
    options: list[object] = ["-o", tmp_path / "net.talos", "--config", "4x4"]
    if isinstance(made, Network) and made.samples:
        np.savez(tmp_path / "data.npz", **made.samples)
        options += ["--calibrate", tmp_path / "data.npz"]
    before = sorted(tmp_path.rglob("*"))
    done = talos("compile", path, *options)
    assert (done.status, done.out) == (2, "")
    assert done.err.startswith("talos: error: ") and done.err.count("\n") == 1, done.err
    assert "net.onnx" in done.err
    assert sorted(tmp_path.rglob("*")) == before


def test_verify(talos: Talos, tmp_path: Path) -> None:
    path = save(CASES["wrong_kernel_shape"].build(tmp_path), tmp_path)
    done = talos("verify", path, "--config", "4x4", "--rtl-images", "0")
    assert (done.status, done.out) == (2, "")
    assert done.err.startswith("talos: error: ") and done.err.count("\n") == 1, done.err


@pytest.mark.parametrize("command", ["run", "info", "disasm"])
def test_wrong_extension(command: str, talos: Talos, tmp_path: Path) -> None:
    """What does not end in .onnx is taken for a program."""
    path = save(CASES["nan_scale"].build(tmp_path), tmp_path).rename(tmp_path / "net.pb")
    options = ["--input", path] if command == "run" else []
    done = talos(command, path, *options)
    assert (done.status, done.out) == (2, "")
    assert "net.pb" in done.err and "not a Talos program" in done.err and done.err.count("\n") == 1, done.err
