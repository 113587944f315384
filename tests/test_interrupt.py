"""Ctrl-C, as a signal to a real process: exit status 130, one line, nothing left behind.

The process is stopped where it reads from a named pipe: opening the other end waits until it is there, so no test depends on time.
"""

import os
import signal
import subprocess
import sys
from concurrent.futures import CancelledError
from pathlib import Path

import pytest

from talos.runtime.tool_runs import ToolRuns
from tests.cli_runner import DIGITS, MODELS

_HUNG = 300  # seconds; nothing here takes one: a process that ignores the signal fails the test and does not hold up the run
_HANDLER = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # where the test run ignores the signal
_COMMAND = f"{_HANDLER}from talos.cli import main; main()"


def interrupted(code: str, arguments: list[str], pipe: Path, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run Python `code`, wait until it (or what it started) reads `pipe`, send SIGINT to it alone, and wait for its end."""
    process = subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=MODELS.parent,
        env={**os.environ, **environment},
    )
    with pipe.open("wb"):
        process.send_signal(signal.SIGINT)
        try:
            out, err = process.communicate(timeout=_HUNG)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
    return subprocess.CompletedProcess([], process.returncode, out, err)


@pytest.fixture
def pipe(tmp_path: Path) -> Path:
    path = tmp_path / "data.npz"
    os.mkfifo(path)
    return path


@pytest.mark.parametrize("command", ["compile", "quantize", "trace", "verify"])
def test_an_interrupt_ends_a_command_cleanly(tmp_path: Path, pipe: Path, command: str) -> None:
    target = tmp_path / "out"
    output = [] if command == "verify" else ["-o", str(target)]
    done = interrupted(_COMMAND, [command, str(DIGITS), "--calibrate", str(pipe), *output], pipe)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "talos: interrupted\n")
    assert list(tmp_path.iterdir()) == [pipe]


def test_an_interrupt_ends_the_compilers_of_a_build(tmp_path: Path, pipe: Path) -> None:
    compiler = tmp_path / "compiler"
    compiler.write_text(f'#!/bin/sh\ncase "$1" in --version) echo none;; *) cat {pipe};; esac\n')
    compiler.chmod(0o755)
    code = f"{_HANDLER}from talos.runtime.build import build\nbuild('module talos(); endmodule', data_width=64, addr_width=32)"
    done = interrupted(code, [], pipe, CXX=str(compiler), TALOS_CACHE=str(tmp_path / "cache"))
    assert done.stderr.rstrip().endswith("KeyboardInterrupt")
    left = [path for path in (tmp_path / "cache").rglob("*") if path.suffix in (".so", ".o") or path.name.startswith("build-")]
    assert left == []


def test_a_stopped_build_starts_no_other_tool(tmp_path: Path) -> None:
    runs = ToolRuns(tmp_path, tmp_path / "log")
    runs.stop()
    with pytest.raises(CancelledError):
        runs.run("tool", ["touch", "started"])
    assert list(tmp_path.iterdir()) == []


def test_an_interrupt_during_the_first_imports_is_quiet(tmp_path: Path) -> None:
    module = tmp_path / "typer.py"
    module.write_text("raise KeyboardInterrupt")
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r})\nfrom talos.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=MODELS.parent)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")
