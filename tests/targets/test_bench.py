"""The exported bench: its vectors, and the bench itself run where Talos cannot be imported."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from talos.compiler.pipeline import compile_model
from talos.config import PRESETS
from talos.model.functional import FunctionalModel
from talos.model.timing.core import simulate
from talos.program import Program
from talos.runtime.device import memory_map
from talos.runtime.samples import load_arrays
from talos.targets.bench import bench_files
from talos.targets.verilog import core_files
from tests.cli_runner import DIGITS, MODELS

Tensors = dict[str, NDArray[np.int8]]


def test_vectors_are_those_of_the_models(program: Program, image: Tensors) -> None:
    other = {"input": np.zeros_like(image["input"])}
    files = bench_files(program, [image, other])
    bench = json.loads(files["tb/vectors/bench.json"])
    bases, end = memory_map(program)
    assert bench["cycles"] == simulate(program, None, bases).cycles
    assert bench["memory_bytes"] == end
    assert bytes.fromhex(files["tb/vectors/constants.hex"]) == program.constants
    for codes, run in zip((image, other), bench["runs"], strict=True):
        expected = FunctionalModel(program.config).run_codes(program, codes)
        for kind, values in (("inputs", codes), ("outputs", expected)):
            for entry in run[kind]:
                assert bytes.fromhex(files[f"tb/vectors/{entry['file']}"]) == values[entry["tensor"]].tobytes()
    setup = dict(bench["setup"])
    assert setup["PROGRAM_LOW"] == bases[0] + program.program_offset
    assert setup["PROGRAM_COUNT"] == program.instruction_count
    assert [setup[f"REGION{i}_LOW"] for i in range(4)] == list(bases)


def test_a_batch_has_a_piece_for_each_image() -> None:
    arrays = load_arrays(MODELS / "digits.npz")
    program = compile_model(DIGITS, PRESETS["4x4"], arrays, batch=2).program
    codes = {"input": np.stack([program.inputs[0].spec.to_tensor(arrays["x"][i]) for i in range(2)])}
    files = bench_files(program, [codes])
    (run,) = json.loads(files["tb/vectors/bench.json"])["runs"]
    bases = memory_map(program)[0]
    port = program.inputs[0]
    assert [entry["address"] for entry in run["inputs"]] == [bases[port.region] + offset for offset in port.offsets]
    stored = b"".join(bytes.fromhex(files[f"tb/vectors/{entry['file']}"]) for entry in run["outputs"])
    assert stored == FunctionalModel(program.config).run_codes(program, codes)["logits"].tobytes()


def run_bench(folder: Path) -> subprocess.CompletedProcess[str]:
    """`python run.py` in a Python whose `talos` cannot be imported."""
    shadow = folder / "shadow"
    (shadow / "talos").mkdir(parents=True, exist_ok=True)
    (shadow / "talos" / "__init__.py").write_text("raise ImportError('the bench must not need Talos')\n")
    environment = os.environ | {"PYTHONPATH": str(shadow)}
    command = [sys.executable, "run.py"]
    return subprocess.run(command, cwd=folder / "tb", env=environment, capture_output=True, text=True, check=False)


def test_the_bench_passes_and_finds_a_wrong_byte_and_a_wrong_cycle(program: Program, image: Tensors, tmp_path: Path) -> None:
    for name, text in (core_files(program.config) | bench_files(program, [image])).items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    done = run_bench(tmp_path)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "3 of 3 tests passed" in done.stdout

    vectors = tmp_path / "tb" / "vectors"
    output = bytearray.fromhex((vectors / "run_0_output_0_image_0.hex").read_text())
    output[3] ^= 1
    (vectors / "run_0_output_0_image_0.hex").write_text(output.hex() + "\n")
    done = run_bench(tmp_path)
    assert done.returncode == 1
    assert "failed: bytes_and_cycles, bytes_with_pauses" in done.stdout
    assert f"1 of {len(output)} bytes" in done.stdout and "the first is byte 3" in done.stdout

    output[3] ^= 1
    (vectors / "run_0_output_0_image_0.hex").write_text(output.hex() + "\n")
    bench = json.loads((vectors / "bench.json").read_text())
    bench["cycles"] += 1
    (vectors / "bench.json").write_text(json.dumps(bench))
    done = run_bench(tmp_path)
    assert done.returncode == 1
    assert "failed: bytes_and_cycles\n" in done.stdout
    assert f"{bench['cycles'] - 1} cycles, expected {bench['cycles']}" in done.stdout


@pytest.mark.parametrize("name", ["run.py", "talos_tests.py", "memory.py", "vectors.py"])
def test_no_file_of_the_bench_imports_talos(name: str, program: Program, image: Tensors) -> None:
    text = bench_files(program, [image])[f"tb/{name}"]
    assert not [line for line in text.splitlines() if line.startswith(("import talos", "from talos."))]
