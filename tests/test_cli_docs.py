"""The commands in the documentation do what it says."""

import re
import shlex
from pathlib import Path

import pytest

from talos.cli.app import app
from talos.compiler.importing.host import HOST_OPS
from talos.compiler.importing.import_graph import SUPPORTED_OPS
from tests.cli_runner import MODELS, Talos, runner

ROOT = MODELS.parent
README, GUIDE, OPERATORS = ROOT / "README.md", ROOT / "docs" / "user-guide.md", ROOT / "docs" / "operators.md"


@pytest.fixture
def talos(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Talos:
    return runner(monkeypatch, capsys)


def blocks(page: Path, language: str = "") -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(), re.DOTALL | re.MULTILINE)


def test_commands_of_the_guide(talos: Talos, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "models").symlink_to(MODELS)
    monkeypatch.chdir(tmp_path)
    commands = [line for block in blocks(GUIDE) for line in block.splitlines() if line.startswith("talos ")]
    assert len(commands) >= 9
    for command in commands:
        done = talos(*shlex.split(command)[1:])
        assert done.status == 0, f"{command}: {done.err}{done.out}"
        assert done.out and not done.err


def test_python_of_the_readme(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(ROOT)
    (code,) = blocks(README, "python")
    exec(compile(code, str(README), "exec"), {})
    cycles, utilization = capsys.readouterr().out.split()
    assert int(cycles) > 0 and 0 < float(utilization) <= 1


def test_readme_names_every_command(talos: Talos) -> None:
    listed = set(re.findall(r"^\| `talos (\w+)", README.read_text(), re.MULTILINE))
    assert listed == {command.name for command in app.registered_commands}
    for command in listed:
        assert talos(command, "--help").status == 0


@pytest.mark.parametrize("page", [README, GUIDE, OPERATORS])
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)]+)\)", page.read_text()):
        assert (page.parent / target).exists(), target


def test_every_operator_is_documented() -> None:
    text = OPERATORS.read_text()
    missing = [op for op in (*SUPPORTED_OPS, *HOST_OPS) if not re.search(rf"\b{op}\b", text)]
    assert not missing
