"""The benchmark command on small networks: its numbers agree with each other, its JSON has the agreed keys, errors are one line."""

import json
from pathlib import Path

import pytest

from benchmarks import networks
from benchmarks.zoo import build_network
from talos.config import PRESETS
from talos.isa import INSTRUCTION_BYTES
from talos.memory import MemoryTiming
from talos.program import INPUTS, OUTPUTS

KEYS = [
    "network", "config", "macs", "cycles", "peak_fraction", "bound", "bound_fraction", "dram_bytes", "compile_seconds", "simulate_seconds",
]  # fmt: skip
SMALL = {"squeezenet1_1": 64, "mobilenetv2": 32}


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """A folder with small versions under the names of the published ones: the command takes what it finds there."""
    for name, size in SMALL.items():
        (tmp_path / f"{name}.onnx").write_bytes(build_network(name, size, 1 / 8))
    return tmp_path


def _run(models: Path, *arguments: str) -> int:
    return networks.main(["--models", str(models), "--only", *SMALL, "--config", "4x4", "8x8", *arguments])


def test_json(models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "results.json"
    assert _run(models, "--json", str(file)) == 0
    results = json.loads(file.read_text())
    assert [(r["network"], r["config"]) for r in results] == [(name, config) for name in SMALL for config in ("4x4", "8x8")]
    for r in results:
        assert list(r) == KEYS
        config = PRESETS[r["config"]]
        assert 0 < r["bound"] < r["cycles"]
        assert r["bound"] * config.peak_macs >= r["macs"] > 0
        assert r["bound_fraction"] == pytest.approx(r["bound"] / r["cycles"])
        assert r["peak_fraction"] == pytest.approx(r["macs"] / (config.peak_macs * r["cycles"]))
        assert r["dram_bytes"] <= 2 * r["cycles"] * config.beat_bytes
        assert r["compile_seconds"] > 0 and r["simulate_seconds"] > 0
    table = capsys.readouterr().out
    assert "of bound" in table and all(f"{r['cycles']:,}" in table for r in results)


def test_json_on_standard_output_stands_alone(models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _run(models, "--json", "-", "--layers") == 0
    assert len(json.loads(capsys.readouterr().out)) == 4


def test_layers_add_up(models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert networks.main(["--models", str(models), "--only", "squeezenet1_1", "--config", "8x8", "--layers"]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    layers = [line for line in lines if len(line) == 8 and line[1] in ("conv", "pool")]
    assert len(layers) == 30  # 26 convolutions, 3 + 1 poolings
    total = next(int(line[3].replace(",", "")) for line in lines if line[:2] == ["squeezenet1_1", "8x8"])
    assert sum(int(line[3].replace(",", "")) for line in layers) == total
    lost = sum(int(line[5].replace(",", "")) for line in layers)
    assert lost + sum(int(line[4].replace(",", "")) for line in layers) == total


def test_memory_matters(models: Path) -> None:
    path = models / "squeezenet1_1.onnx"
    fast, slow = (
        networks.measure(path, PRESETS["8x8"], MemoryTiming.parse(text)) for text in ("", "latency=500,bytes_per_cycle=1")
    )
    assert slow.result.cycles > 1.5 * fast.result.cycles
    assert slow.result.bound == fast.result.bound


def test_dram_bytes(models: Path) -> None:
    """At least every input, output and instruction once; at most what the buses carry in the time."""
    measurement = networks.measure(models / "mobilenetv2.onnx", PRESETS["8x8"], MemoryTiming())
    program = measurement.program
    least = program.region_bytes[INPUTS] + program.region_bytes[OUTPUTS] + program.instruction_count * INSTRUCTION_BYTES
    assert least < measurement.result.dram_bytes <= 2 * 8 * measurement.timing.cycles


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--only", "alexnet"], "network 'alexnet' is unknown"),
        (["--config", "9x9"], "'9x9' is neither a preset"),
        (["--memory", "speed=3"], "cannot read 'speed=3'"),
        (["--only", "mobilenetv2", "--config", "4x4", "--json", "/nowhere/results.json"], "cannot be written"),
    ],
)
def test_errors(models: Path, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert networks.main(["--models", str(models), *arguments]) == 2
    error = capsys.readouterr().err
    assert error.startswith("benchmarks.networks: error: ") and message in error and error.count("\n") == 1
