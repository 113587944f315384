"""Builds the Verilog of a bench with Verilator and runs its cocotb tests.

sim_build/DESIGN/         one build of a design, used by all its benches; made again when the Verilog or the tools change
sim_build/BENCH-DESIGN/   what a run leaves: test.log, results.xml, dump.vcd
sim_build/runtime-KEY/    Verilator's own runtime as objects, most of the time of a small build
"""

import fcntl
import hashlib
import json
import re
import shutil
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import cocotb_tools.runner as cocotb_runner

from sim.benches import Bench, Design
from talos.errors import TalosError
from talos.toolchain import Toolchain, find_toolchain

__all__ = ["ROOT", "Failure", "Result", "build_key", "run"]

ROOT = Path(__file__).parent.parent
BUILD = ROOT / "sim_build"

_TRANSLATE = (
    "-O3",
    "--output-split",
    "0",
    "-Wno-lint",
    "-Wno-style",
    "-Wno-fatal",
)  # tests/test_lint_verilog.py is the strict run
_MAKE = ("OPT_FAST=-O1", "OPT_SLOW=-O0", "OPT_GLOBAL=-O1")
_ELABORATION = threading.Lock()  # Amaranth is not made for threads, and two would not be faster


@dataclass(frozen=True)
class Failure:
    """A failed test: its name, and the first line of why."""

    test: str
    reason: str


@dataclass(frozen=True)
class Result:
    """One bench on one design. Seconds of wall time; `log` is the run's (or the failed build's) output."""

    bench: Bench
    design: Design
    passed: int
    failures: tuple[Failure, ...]
    build_seconds: float
    run_seconds: float
    log: Path
    waves: Path | None


class _VerilatorRunner(cocotb_runner.Verilator):
    """cocotb's runner with the project's Verilator, and only the top's ports visible.

    With all signals visible (the original's --public-flat-rw) Verilator optimizes nothing: the core takes many minutes to compile.
    """

    def __init__(self, tools: Toolchain) -> None:
        super().__init__()
        self._tools = tools

    def _simulator_in_path_build_only(self) -> None:
        self.executable = str(self._tools.verilator.executable)

    def _set_env_common(self) -> None:
        super()._set_env_common()
        self.env |= self._tools.verilator.environment()
        self.env["PYTHONPATH"] = f"{ROOT}:{self.env['PYTHONPATH']}"

    def _build_command(self) -> list[list[str]]:
        translate, make = super()._build_command()
        jobs = make.index("-j")
        # The objects of the runtime that are there already are kept, although they are older than the makefile.
        keep = [flag for item in self.build_dir.glob("verilated*.o") for flag in ("-o", item.name)]
        make = [*make[:jobs], *make[jobs + 2 :], *keep, f"CXX={self._tools.compiler}", *_MAKE]
        return [[argument for argument in translate if argument != "--public-flat-rw"], make]


def run(bench: Bench, design: Design, *, seed: int, waves: bool = False, tests: Sequence[str] = ()) -> Result:
    """Build (or reuse) `design` and run the bench on it. tests: only these of its tests.

    Raises TalosError when a tool is missing, the build fails, or the simulation ends without results.
    """
    tools = find_toolchain()
    runner = _VerilatorRunner(tools)
    begin = time.perf_counter()
    build = _build(runner, tools, design, waves)
    built = time.perf_counter()
    folder = BUILD / f"{bench.name}-{design.name}"
    folder.mkdir(parents=True, exist_ok=True)
    log, results, dump = folder / "test.log", folder / "results.xml", folder / "dump.vcd"
    dump.unlink(missing_ok=True)
    status = ""
    try:
        runner.test(
            test_module=bench.module,
            hdl_toplevel=design.top,
            hdl_toplevel_lang="verilog",
            build_dir=build,
            test_dir=folder,
            results_xml=str(results),
            testcase=list(tests) or None,
            seed=seed,
            waves=waves,
            extra_env={"TALOS_SIM_CONFIG": json.dumps(design.config.to_json()), "COCOTB_ANSI_OUTPUT": "0"},
            log_file=log,
        )
    except (
        RuntimeError,
        SystemExit,
    ) as error:  # the simulator's exit status; results tell which tests failed, if it got that far
        status = f" ({error})"
    passed, failures = _read_results(results)
    if passed + len(failures) == 0:
        raise TalosError(f"bench {bench.name} on {design.name} ran no test{status}; see {log}")
    return Result(
        bench=bench,
        design=design,
        passed=passed,
        failures=tuple(failures),
        build_seconds=built - begin,
        run_seconds=time.perf_counter() - built,
        log=log,
        waves=dump if waves else None,
    )


def build_key(text: str, tools: Toolchain) -> str:
    """What a built simulation of the Verilog `text` depends on; it is linked with cocotb's library in this Python environment."""
    return _digest(text, tools.verilator.version, str(tools.compiler), sys.prefix, *_TRANSLATE, *_MAKE)


def _build(runner: _VerilatorRunner, tools: Toolchain, design: Design, waves: bool) -> Path:
    """Folder of the built simulation."""
    with _ELABORATION:
        text = design.verilog()
    key = build_key(text, tools)
    folder = BUILD / (f"{design.name}-waves" if waves else design.name)
    stamp = folder / "built"
    with _locked(folder.with_suffix(".lock")):
        if not stamp.is_file() or stamp.read_text() != key:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            (folder / f"{design.top}.v").write_text(text)
            (folder / "ports.vlt").write_text(_publish(design.top, text))
            with _runtime(folder, _digest(tools.verilator.version, str(tools.compiler), str(waves), *_MAKE)):
                _compile(runner, design, folder, waves)
            stamp.write_text(key)
    return folder


def _compile(runner: _VerilatorRunner, design: Design, folder: Path, waves: bool) -> None:
    log = folder / "build.log"
    try:
        runner.build(
            sources=[folder / "ports.vlt", folder / f"{design.top}.v"],
            hdl_toplevel=design.top,
            build_dir=folder,
            build_args=list(_TRANSLATE),
            timescale=("1ns", "1ps"),
            waves=waves,
            log_file=log,
        )
    except RuntimeError as error:
        raise TalosError(
            f"building {design.name} for simulation failed ({error}); everything the tools said is in {log}"
        ) from error


def _publish(top: str, text: str) -> str:
    """A Verilator control file that makes the ports of module `top` visible to cocotb, and nothing else."""
    body = text[text.index(f"module {top}(") :]
    body = body[: body.index("endmodule")]
    ports = re.findall(r"^ *(?:input|output) (?:signed )?(?:\[\d+:0\] )?\\?(\S+?) ?;", body, re.MULTILINE)
    lines = [f'public_flat_rw -module "{top}" -var "{port}"' for port in ports]
    return "\n".join(["`verilator_config", *lines, ""])


@contextmanager
def _runtime(folder: Path, key: str) -> Iterator[None]:
    """Build in `folder` with the objects of Verilator's runtime in place; the first build of a kind leaves them for the others."""
    cache = BUILD / f"runtime-{key}"
    with _locked(cache.with_suffix(".lock")):
        first = not cache.is_dir()
        if first:
            yield
            part = cache.with_suffix(".part")
            shutil.rmtree(part, ignore_errors=True)
            part.mkdir()
            for item in folder.glob("verilated*.o"):
                shutil.copy(item, part)
            part.rename(cache)
    if not first:
        for item in cache.iterdir():
            shutil.copy(item, folder)
        yield


def _read_results(path: Path) -> tuple[int, list[Failure]]:
    """(tests passed, failures). A skipped test is a failure: nothing here is meant to be skipped."""
    passed, failures = 0, []
    if path.is_file():
        for case in ElementTree.parse(path).iter("testcase"):
            problem = next((child for child in case if child.tag in ("failure", "error", "skipped")), None)
            if problem is None:
                passed += 1
            else:
                text = problem.get("message") or problem.get("error_msg") or (problem.text or "").strip() or problem.tag
                failures.append(Failure(case.get("name", "?"), text.partition("\n")[0]))
    return passed, failures


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold a lock between threads and processes."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = path.open("w")
    except OSError as error:
        raise TalosError(f"cannot write {path.parent}: {error.strerror}; benches need a writable working tree") from error
    with handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
