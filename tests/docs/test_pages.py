"""The examples on the documentation's pages run, generated pages are up to date, and the whole builds without a warning."""

import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from docs.generate.__main__ import FILES, main
from tests.cli_runner import MODELS, Talos, runner

ROOT = MODELS.parent
DOCS = ROOT / "docs"
NEEDS_HARDWARE = {"integration.md"}
"""Pages whose Python is for a board."""
PAGES = sorted(page for page in DOCS.rglob("*.md") if "_build" not in page.parts)


@pytest.fixture
def talos(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Talos:
    return runner(monkeypatch, capsys)


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(), re.DOTALL | re.MULTILINE)


def test_the_tutorial(talos: Talos, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    page = DOCS / "tutorial.md"
    (training,) = blocks(page, "python")
    if importlib.util.find_spec("torch") is None:  # the page says what takes its place
        shutil.copy(MODELS / "digits.onnx", "net.onnx")
        shutil.copy(MODELS / "digits.npz", "net.npz")
    else:
        # A process of its own: PyTorch's exporter warns about its own use of Python.
        subprocess.run([sys.executable, "-c", training], check=True, capture_output=True, timeout=600)
    commands = [line[2:] for block in blocks(page, "console") for line in block.splitlines() if line.startswith("$ ")]
    assert len(commands) == 7
    for command in commands:
        done = talos(*shlex.split(command)[1:])
        assert done.status == 0, f"{command}: {done.err}{done.out}"
    assert Path("build/talos_8x8.v").is_file()
    assert list(Path("driver").glob("*.c"))


@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if page.name not in {"tutorial.md", *NEEDS_HARDWARE} and blocks(page, "python")],
    ids=lambda page: page.name,
)
def test_python_blocks(page: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """All blocks of a page, one after another, as its reader would run them from the repository's root."""
    (tmp_path / "models").symlink_to(MODELS)
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for code in blocks(page, "python"):
        exec(compile(code, str(page), "exec"), names)


def test_generated_pages_are_up_to_date() -> None:
    assert main(["--check"]) == 0


def test_a_stale_page_is_noticed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setitem(FILES, "reference/registers.md", lambda: "another text\n")
    assert main(["--check"]) == 1
    assert "docs/reference/registers.md is not what the sources give" in capsys.readouterr().err


def test_the_documentation_builds_without_warnings(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html", str(DOCS), str(tmp_path / "html")]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONWARNINGS"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    front = (tmp_path / "html" / "index.html").read_text()
    for page in PAGES:
        assert str(page.relative_to(DOCS).with_suffix(".html")) in front or page.name == "index.md", (
            f"no way leads to {page.name}"
        )
