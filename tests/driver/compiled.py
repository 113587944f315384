"""Compiles exported drivers with test programs."""

import subprocess
from pathlib import Path

from talos.driver.export import export_driver
from talos.program import Program
from talos.toolchain import find_tool

__all__ = ["FLAGS", "compile_c", "compile_driver"]

FLAGS = ("-std=c99", "-O2", "-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Wstrict-prototypes", "-Werror", "-pedantic")
HERE = Path(__file__).parent


def compile_c(folder: Path, *arguments: str | Path) -> None:
    """Run the C compiler in `folder`, with all warnings as errors."""
    done = subprocess.run([find_tool("cc"), *FLAGS, *arguments], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and not done.stderr, done.stderr


def compile_driver(program: Program, main: str, folder: Path) -> Path:
    """Export `program` into `folder` and link it with the test program `main`; the executable."""
    export_driver(program, folder)
    # dlopen and the POSIX functions of the platform are in the C library; only old ones keep them in libdl
    compile_c(folder, "-I.", HERE / f"{main}.c", "talos.c", f"{program.name}_program.c", "-o", main, "-ldl")
    return folder / main
