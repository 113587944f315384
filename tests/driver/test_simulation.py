"""The exported C driver runs a program on the Verilated core: bytes, cycles and counters, and how it tells what goes wrong."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from talos.compiler.pipeline import compile_model
from talos.config import PRESETS
from talos.isa import Unit
from talos.model.functional import FunctionalModel
from talos.model.timing.core import simulate
from talos.program import Program
from talos.registers import COUNTERS
from talos.runtime.build import build
from talos.runtime.device import memory_map
from talos.runtime.samples import load_arrays
from talos.runtime.verilog_cache import cached_verilog
from tests.cli_runner import DIGITS, MODELS
from tests.driver.compiled import compile_driver

ARRAYS = load_arrays(MODELS / "digits.npz")
IMAGES = (0, 7)
CONFIG = PRESETS["4x4"]
RECORD = np.dtype(
    [
        ("cycles", "<u8"),
        ("counters", "<u4", (len(Unit), len(COUNTERS))),
        ("logits", "<f4", 10),
        ("codes", "i1", 10),
        ("unused", "i1", 6),
    ],
    align=True,
)


@dataclass(frozen=True)
class Bench:
    """The test program, the core it runs on, and the network."""

    executable: Path
    core: Path
    program: Program


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    program = compile_model(DIGITS, CONFIG, ARRAYS).program
    core = build(cached_verilog(CONFIG), data_width=CONFIG.axi_data_width, addr_width=CONFIG.axi_addr_width)
    return Bench(compile_driver(program, "simulate", tmp_path_factory.mktemp("driver")), core, program)


@pytest.mark.parametrize(
    "scenario",
    [
        "images", "wrong_hash", "no_core", "timeout", "sleeping", "stuck", "bus_errors", "bad_instruction", "arguments", "caches",
        "asynchronous", "high_addresses", "batch",
    ],
)  # fmt: skip
def test_images_after(scenario: str, bench: Bench, tmp_path: Path) -> None:
    """Whatever happened before, two images give the models' bytes, cycles and counters. What happens is checked in the C program."""
    images = np.ascontiguousarray(ARRAYS["x"][list(IMAGES)])
    assert images.dtype == np.float32
    (tmp_path / "inputs").write_bytes(images.tobytes())
    command: list[str | Path] = [bench.executable, bench.core, scenario, "inputs", "outputs"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    records = np.frombuffer((tmp_path / "outputs").read_bytes(), RECORD)
    assert len(records) == len(IMAGES)

    model = FunctionalModel(CONFIG)
    expected = simulate(bench.program, None, memory_map(bench.program)[0])
    (source,), (result,) = bench.program.inputs, bench.program.outputs
    for record, image in zip(records, images, strict=True):
        codes = model.run_codes(bench.program, {source.spec.name: source.spec.to_tensor(image)})[result.spec.name]
        np.testing.assert_array_equal(record["codes"], codes.reshape(-1))
        np.testing.assert_array_equal(record["logits"], result.spec.from_tensor(codes).reshape(-1))
        assert record["cycles"] == expected.cycles
        np.testing.assert_array_equal(record["counters"], expected.counters)
