"""Building and caching: one compilation per design, one of the runtime for all, failures that point to their log."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from talos.cache import cache_directory
from talos.errors import TalosError
from talos.runtime.build import build
from talos.runtime.verilated import VerilatedCore

Verilog = Callable[[int, int], str]


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


def test_builds_once_even_when_asked_at_the_same_time(copier_verilog: Verilog, cache: Path) -> None:
    verilog = copier_verilog(128, 40)
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda _: build(verilog, data_width=128, addr_width=40, cache=cache), range(2))
    assert first == second
    made = first.stat().st_ino  # the time of a file in the cache is that of its last use
    assert build(verilog, data_width=128, addr_width=40, cache=cache) == first
    assert first.stat().st_ino == made
    assert [path.suffix for path in sorted((cache / "cores").iterdir())] == [".lock", ".log", ".so"]
    with VerilatedCore(first, dram_bytes=1 << 12) as core:
        assert core.data_width == 128

    runtime = list((cache / "runtime").glob("*/verilated.o"))
    assert len(runtime) == 1
    stamp = runtime[0].stat().st_mtime_ns
    other = build(verilog + "\n// another design\n", data_width=128, addr_width=40, cache=cache)
    assert other != first
    assert runtime[0].stat().st_mtime_ns == stamp


@pytest.mark.parametrize(
    ("data_width", "addr_width", "words"),
    [(128, 32, "data width of the Verilog"), (64, 40, "address width of the Verilog")],
)
def test_other_widths_than_the_verilogs_are_refused(
    copier_verilog: Verilog, cache: Path, data_width: int, addr_width: int, words: str
) -> None:
    with pytest.raises(TalosError, match=words):
        build(copier_verilog(64, 32), data_width=data_width, addr_width=addr_width, cache=cache)


def test_broken_verilog_names_the_error_and_the_log(cache: Path) -> None:
    before = set((cache / "cores").glob("*")) if (cache / "cores").exists() else set()
    with pytest.raises(TalosError, match=r"Verilator failed while building the simulation: %Error: talos\.v:1") as error:
        build("module talos(input clk; endmodule\n", data_width=64, addr_width=32, cache=cache)
    log = Path(str(error.value).rpartition(" ")[2])
    assert "syntax error" in log.read_text()
    assert "\n" not in str(error.value)
    left = {path.suffix for path in set((cache / "cores").glob("*")) - before}
    assert left == {".lock", ".log"}


def test_a_cache_that_cannot_be_written_is_refused(tmp_path: Path, copier_verilog: Verilog) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(TalosError, match="set TALOS_CACHE"):
        build(copier_verilog(64, 32), data_width=64, addr_width=32, cache=tmp_path / "file")


def test_a_compiler_that_does_not_run_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "c++"
    broken.write_text("#!/bin/sh\nexit 3\n")
    broken.chmod(0o755)
    monkeypatch.setenv("CXX", str(broken))
    with pytest.raises(TalosError, match="does not run"):
        build("module talos; endmodule", data_width=64, addr_width=32, cache=tmp_path)


def test_cache_directory_follows_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TALOS_CACHE", "~/somewhere")
    assert cache_directory() == Path.home() / "somewhere"
    monkeypatch.delenv("TALOS_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", os.path.join(os.sep, "x"))
    assert cache_directory() == Path(os.sep, "x", "talos")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_directory() == Path.home() / ".cache" / "talos"
