"""What users see of nodes on the host: a line after each command, the placement report, and --no-host."""

import json
from pathlib import Path

import numpy as np
import pytest

from tests.cli_runner import DIGITS, MODELS, Talos, runner
from tests.runtime.test_host_parts import network

SAMPLES = MODELS / "digits.npz"


@pytest.fixture
def talos(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Talos:
    return runner(monkeypatch, capsys)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return network(tmp_path_factory.mktemp("model"))


def test_report(talos: Talos, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for width in (80, 160):
        monkeypatch.setenv("COLUMNS", str(width))
        done = talos("compile", model, "-o", tmp_path / "p", "--report", "--config", "4x4")
        assert done.status == 0, done.err
        table = done.out[done.out.index("runs on") :]
        assert all(len(line) <= width for line in table.splitlines())
        assert "argmax_" in table and "computed in float" in " ".join(table.split())
    assert "suggestion" in done.out and "before" in done.out and "after" in done.out


def test_line(talos: Talos, model: Path, tmp_path: Path) -> None:
    done = talos("compile", model, "-o", tmp_path / "p", "--config", "4x4")
    (line,) = [line for line in done.out.splitlines() if "on the host" in line]
    assert "ArgMax" in line and "multiply-accumulates" in line and line.endswith("--report says why")
    done = talos("verify", model, "--config", "4x4", "--rtl-images", "0")
    assert done.status == 0, done.err
    assert "on the host" in done.out and "ArgMax" in done.out
    done = talos("compile", DIGITS, "-o", tmp_path / "d", "--calibrate", SAMPLES)
    assert done.status == 0 and "on the host" not in done.out


def test_json(talos: Talos, model: Path, tmp_path: Path) -> None:
    done = talos("compile", model, "-o", tmp_path / "p", "--config", "4x4", "--json", "-")
    result = json.loads(done.out)
    assert result["host"]["nodes"] == result["placement_counts"]["host"]
    assert {row["op"] for row in result["host"]["reasons"]} == {"Cast", "Div", "ArgMax", "Mul"}
    row = next(row for row in result["placements"] if row["op"] == "ArgMax")
    assert row["placement"] == "host" and row["reason"] and row["suggestion"]
    assert sum(row["macs"] for row in result["placements"]) == result["macs"]


@pytest.mark.parametrize("command", ["compile", "verify", "run"])
def test_no_host(talos: Talos, model: Path, tmp_path: Path, command: str) -> None:
    options = {"compile": ["-o", tmp_path / "p"], "verify": [], "run": ["--input", SAMPLES]}[command]
    done = talos(command, model, *options, "--no-host")
    assert done.status == 2 and len(done.err.splitlines()) == 1
    assert "--no-host" in done.err and "'cast_0' (Cast)" in done.err and "argmax_" in done.err
    assert not (tmp_path / "p").exists()


def test_no_host_refuses_a_program_with_host_parts(talos: Talos, model: Path, tmp_path: Path) -> None:
    assert talos("compile", model, "-o", tmp_path / "p", "--config", "4x4").status == 0
    done = talos("run", tmp_path / "p", "--input", SAMPLES, "--no-host")
    assert done.status == 2 and "ArgMax" in done.err and "--no-host" in done.err


def test_no_host_accepts_what_needs_none(talos: Talos, tmp_path: Path) -> None:
    done = talos("compile", DIGITS, "-o", tmp_path / "d", "--calibrate", SAMPLES, "--no-host")
    assert done.status == 0, done.err


def test_info_names_both_sides(talos: Talos, model: Path, tmp_path: Path) -> None:
    assert talos("compile", model, "-o", tmp_path / "p", "--config", "4x4").status == 0
    done = talos("info", tmp_path / "p")
    assert "before the accelerator: image" in done.out and "after the accelerator" in done.out


def test_batch(talos: Talos, tmp_path: Path) -> None:
    program, results = tmp_path / "d", tmp_path / "y.npy"
    done = talos("compile", DIGITS, "-o", program, "--calibrate", SAMPLES, "--batch", "4", "--json", tmp_path / "j")
    assert done.status == 0 and "per image, 4 images a run" in done.out
    assert json.loads((tmp_path / "j").read_text())["batch"] == 4
    assert "a run takes 4 images" in talos("info", program).out
    done = talos("run", program, "--input", SAMPLES, "--output", results)
    assert done.status == 0, done.err
    assert "with a batch of 4" in done.out
    assert talos("compile", DIGITS, "-o", program, "--calibrate", SAMPLES).status == 0
    single = tmp_path / "single.npy"
    assert talos("run", program, "--input", SAMPLES, "--output", single).status == 0
    np.testing.assert_array_equal(np.load(results), np.load(single))
    assert talos("compile", DIGITS, "-o", program, "--batch", "0").status == 2
