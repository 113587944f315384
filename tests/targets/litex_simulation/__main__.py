"""Exports the LiteX target with `digits` at 4x4, elaborates its example SoC and runs `soc_tests.py` on that in Verilator: about a minute."""

import importlib.util
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from talos.compiler.pipeline import compile_model
from talos.config import PRESETS
from talos.runtime.execute import input_tensors
from talos.runtime.samples import load_arrays
from talos.targets.export import target_files
from talos.targets.names import Target

MODELS = Path(__file__).parents[3] / "models"
TOP = "talos_soc"


def export(folder: Path) -> None:
    """The target's files, and `ram.bin`: the memory of the first golden run."""
    arrays = load_arrays(MODELS / "digits.npz")
    program = compile_model(MODELS / "digits.onnx", PRESETS["4x4"], arrays).program
    runs = [input_tensors(program, {"input": arrays["x"][:1]})]
    for name, text in target_files(Target.LITEX, program.config, program=program, runs=runs).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    vectors = load(folder / "tb" / "vectors.py").Vectors()
    contents = vectors.memory()
    for address, data in vectors.runs[0].inputs:
        contents[address : address + len(data)] = data
    (folder / "ram.bin").write_bytes(contents)


def load(path: Path) -> Any:
    """The module in a file."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


def simulate(folder: Path) -> int:
    """Exit status: 0 if all tests passed."""
    run = load(folder / "tb" / "run.py")
    gateware = folder / "build" / "gateware"
    text = (gateware / f"{TOP}.v").read_text()
    header = text[text.index(f"module {TOP}") : text.index(");")]
    ports = re.findall(r"^ *(?:input|output) +(?:wire|reg) +(?:\[\d+:0\] +)?(\w+)", header, re.MULTILINE)
    run.add_verilator_package()
    runner = run.QuickVerilator()
    sources = [run.ports_file(gateware, TOP, ports), gateware / f"{TOP}.v", folder / "talos_4x4.v"]
    runner.build(sources=sources, hdl_toplevel=TOP, build_dir=gateware, build_args=run.OPTIONS, timescale=("1ns", "1ps"))
    sys.path[:0] = [str(Path(__file__).parent), str(folder / "tb")]
    results = runner.test(
        test_module="soc_tests", hdl_toplevel=TOP, hdl_toplevel_lang="verilog", build_dir=gateware, test_dir=gateware, seed=1
    )
    cases = list(ElementTree.parse(results).iter("testcase"))
    return 0 if cases and all(case.find(kind) is None for case in cases for kind in ("failure", "error", "skipped")) else 1


def main() -> int:
    """Export, elaborate, simulate."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        export(folder)
        command = [sys.executable, "soc_example.py", "--build", "build", "--ram-file", "ram.bin"]
        subprocess.run(command, cwd=folder, env=os.environ | {"PYTHONPATH": ""}, check=True, stdout=subprocess.DEVNULL)
        return simulate(folder)


if __name__ == "__main__":
    sys.exit(main())
