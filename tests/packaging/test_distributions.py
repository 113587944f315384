"""The sdist and the wheel that is built from it hold what they must, and say of themselves what is true."""

import email
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

import talos

ROOT = Path(talos.__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
TOP_FILES = ("README.md", "LICENSE", "CITATION.cff", "CHANGELOG.md", "pyproject.toml", "Makefile")
FOLDERS = ("benchmarks", "docs", "models", "proofs", "rtl_out", "sim", "talos", "tests")
LEFT_OVER = {"__pycache__", "sim_build", ".hypothesis"}

BUILD = """
import sys, tarfile
from setuptools import build_meta
archive = build_meta.build_sdist(sys.argv[1])
print(archive)
"""
WHEEL = """
import sys
from setuptools import build_meta
print(build_meta.build_wheel(sys.argv[1]))
"""


def sources(folder):
    """The files of `folder` as they are in a clean copy of the repository."""
    return {
        str(path.relative_to(ROOT))
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and not LEFT_OVER & set(path.parts) and path.suffix != ".pyc" and path.name != "results.xml"
    }


def build(code, folder, output):
    done = subprocess.run([sys.executable, "-c", code, str(output)], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return output / done.stdout.split()[-1]


@pytest.fixture(scope="module")
def archives(tmp_path_factory):
    """Paths of the sdist and of the wheel built out of it, from a copy: building leaves files behind."""
    folder = tmp_path_factory.mktemp("distributions")
    copy = folder / "copy"
    for name in (*FOLDERS, ""):
        for path in map(ROOT.joinpath, sources(name) if name else (*TOP_FILES, "MANIFEST.in")):
            target = copy / path.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
    sdist = build(BUILD, copy, folder)
    with tarfile.open(sdist) as archive:
        archive.extractall(folder / "unpacked", filter="data")
    (unpacked,) = (folder / "unpacked").iterdir()
    return sdist, build(WHEEL, unpacked, folder)


def test_sdist_holds_all_that_is_needed_to_build_and_test(archives):
    with tarfile.open(archives[0]) as archive:
        held = {member.name.partition("/")[2] for member in archive.getmembers() if member.isfile()}
    wanted = set(TOP_FILES).union(*map(sources, FOLDERS))
    assert not wanted - held
    assert not [name for name in held if name.endswith((".pyc", ".so", ".jsonl"))]


def test_wheel_holds_the_package_and_nothing_else(archives):
    with zipfile.ZipFile(archives[1]) as archive:
        names = set(archive.namelist())
    info = f"talos_accelerator-{talos.__version__}.dist-info/"
    package = sources("talos")
    assert {name for name in names if not name.startswith(info)} == package
    assert {"talos/py.typed", "talos/rtl/lint.vlt", "talos/driver/templates/talos.c", "talos/explore/area_ecp5.json"} <= package
    assert f"{info}licenses/LICENSE" in names


def test_metadata(archives):
    info = f"talos_accelerator-{talos.__version__}.dist-info"
    with zipfile.ZipFile(archives[1]) as archive:
        metadata = email.message_from_bytes(archive.read(f"{info}/METADATA"))
        commands = archive.read(f"{info}/entry_points.txt").decode()
    assert archives[1].name == f"talos_accelerator-{talos.__version__}-py3-none-any.whl"
    assert metadata["Version"] == talos.__version__ and metadata["License-Expression"] == "Apache-2.0"
    assert set(metadata.get_all("Provides-Extra")) == set(PROJECT["optional-dependencies"])
    assert "talos = talos.cli:main" in commands
    least = re.fullmatch(r">=3\.(\d+)", metadata["Requires-Python"])
    minors = [int(text.rpartition(".")[2]) for text in metadata.get_all("Classifier") if "Python :: 3." in text]
    assert least is not None and min(minors) == int(least[1])


def test_the_citation_names_this_version():
    assert f"\nversion: {talos.__version__}\n" in (ROOT / "CITATION.cff").read_text()
    assert f"## {talos.__version__}" in (ROOT / "CHANGELOG.md").read_text()


def test_every_extra_is_documented():
    page = (ROOT / "docs" / "installation.md").read_text()
    assert set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE)) == set(PROJECT["optional-dependencies"])


def test_no_extra_names_an_unknown_extra():
    """What error messages tell people to install exists."""
    for path in (ROOT / "talos").rglob("*.py"):
        for names in re.findall(r"talos-accelerator\[([\w,]+)\]", path.read_text()):
            assert set(names.split(",")) <= set(PROJECT["optional-dependencies"]), path
