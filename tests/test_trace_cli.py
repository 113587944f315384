"""talos trace, and what all commands have in common."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from talos.cli.app import app
from talos.cli.options import complete_config
from talos.program import Program
from tests.cli_runner import DIGITS, MODELS, Talos, runner

SAMPLES = MODELS / "digits.npz"
COMMANDS = sorted(command.name or "" for command in app.registered_commands)


@pytest.fixture
def talos(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Talos:
    return runner(monkeypatch, capsys)


def test_a_model_or_its_program_give_the_same_trace(talos: Talos, tmp_path: Path) -> None:
    program, first, second = tmp_path / "digits.talos", tmp_path / "first.json", tmp_path / "second.json"
    assert talos("compile", DIGITS, "-o", program, "--calibrate", SAMPLES, "-c", "4x4").status == 0
    done = talos("trace", program, "-o", first, "--json", "-")
    values = json.loads(done.out)
    assert done.status == 0 and values["config"] == "4x4" and values["cycles"] > 0
    assert values["instructions"] == Program.load(program).instruction_count
    done = talos("trace", DIGITS, "-o", second, "--calibrate", SAMPLES, "-c", "4x4")
    assert done.status == 0 and f"{values['cycles']:,} cycles" in done.out and "ui.perfetto.dev" in done.out
    assert first.read_bytes() == second.read_bytes()
    slow = talos("trace", program, "-o", second, "--memory", "latency=400", "--json", "-")
    assert json.loads(slow.out)["cycles"] > values["cycles"]
    assert json.loads(second.read_text())["otherData"]["cycles"] == json.loads(slow.out)["cycles"]


def test_progress_tells_what_is_done_and_how_far_it_is(talos: Talos, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, list[tuple[int, int]]] = {}

    class Bar:
        def __enter__(self) -> "Bar":
            return self

        def __exit__(self, *_: object) -> None: ...

        def __call__(self, stage: str, done: int, total: int) -> None:
            seen.setdefault(stage, []).append((done, total))

    monkeypatch.setattr("talos.cli.progress_bar.ProgressBar", Bar)
    monkeypatch.setattr("talos.cli.terminal.sys.stderr.isatty", lambda: True, raising=False)
    assert talos("trace", DIGITS, "-o", tmp_path / "t.json", "--calibrate", SAMPLES, "-c", "4x4").status == 0
    stages = list(seen)
    order = ["compiling digits.onnx", "calibrating", "scheduling layers", "checking contents", "writing t.json"]
    assert [stage for stage in stages if stage in order] == order
    for stage in ("calibrating", "scheduling layers", "checking contents"):
        done = [place for place, _ in seen[stage]]
        assert done == sorted(done) and {total for _, total in seen[stage]} == {max(total for _, total in seen[stage])}
        assert 0 <= max(done) < seen[stage][0][1]


def test_wrong_use_of_trace(talos: Talos, tmp_path: Path) -> None:
    for arguments, message in (
        ((DIGITS, "-o", tmp_path / "no" / "t.json"), "cannot be written"),
        ((DIGITS, "-o", tmp_path / "t.json", "--memory", "speed=1"), "cannot read"),
        ((tmp_path / "none.talos", "-o", tmp_path / "t.json"), "cannot be read"),
    ):
        done = talos("trace", *arguments)
        assert done.status == 2 and done.out == "" and len(done.err.splitlines()) == 1 and message in done.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_examples_json_and_quiet(talos: Talos, command: str) -> None:
    done = talos(command, "--help")
    assert done.status == 0 and "Examples" in done.out and f"$ talos {command}" in done.out
    assert "--json" in done.out and "--quiet" in done.out and "-h" in done.out


@pytest.mark.parametrize("command", COMMANDS)
def test_examples_use_options_that_exist(command: str) -> None:
    (registered,) = [entry for entry in app.registered_commands if entry.name == command]
    known = {name for parameter in typer.main.get_command(app).commands[command].params for name in parameter.opts}  # type: ignore[attr-defined]
    examples = [line[2:] for line in (registered.epilog or "").splitlines() if line.startswith("$ ")]
    assert examples
    for example in examples:
        words = example.partition("   (")[0].split()
        assert words[:2] == ["talos", command]
        assert {word for word in words if word.startswith("-") and word != "-"} <= known, example


@pytest.mark.parametrize("name", ["NO_COLOR", "FORCE_COLOR"])
def test_colours_of_help(name: str) -> None:
    environment = {key: value for key, value in os.environ.items() if key not in ("NO_COLOR", "FORCE_COLOR", "TERM")}
    code = "from talos.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "trace", "--help"],
        capture_output=True,
        text=True,
        check=True,
        cwd=MODELS.parent,
        env={**environment, name: "1"},
    )
    assert ("\x1b[" in done.stdout) == (name == "FORCE_COLOR")


def test_the_shell_completes_commands_options_and_presets() -> None:
    def complete(*words: str) -> str:
        environment = {**os.environ, "_TALOS_COMPLETE": "complete_bash", "COMP_WORDS": " ".join(["talos", *words])}
        environment["COMP_CWORD"] = str(len(words))
        code = "from talos.cli import main; main()"
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=MODELS.parent, env=environment
        )
        assert "Traceback" not in done.stderr
        return done.stdout

    assert "verify" in complete("ver") and "--waves" in complete("verify", "--wa")
    assert set(complete("verify", "--config", "8x").split()) == {"8x8", "8x16"}


def test_presets_and_files_complete_a_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.json").write_text("{}")
    assert complete_config("16") == ["16x16"] and complete_config("m") == ["mine.json"]
    assert complete_config("") == ["4x4", "8x8", "8x16", "16x16", "32x32", "mine.json"]
    assert complete_config("nowhere/x") == []


def test_the_application_knows_its_commands() -> None:
    assert isinstance(typer.main.get_command(app).name, str)
    assert {"trace", "doctor", "cache", "verify"} <= set(COMMANDS)
