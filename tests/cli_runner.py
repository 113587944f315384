"""Runs the command line inside the test process, as a user would call it."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from talos.cli import main

__all__ = ["DIGITS", "MODELS", "Finished", "Talos", "runner"]

MODELS = Path(__file__).parent.parent / "models"
DIGITS = MODELS / "digits.onnx"


@dataclass(frozen=True)
class Finished:
    """What a command left: exit status and both streams."""

    status: int
    out: str
    err: str


Talos = Callable[..., Finished]


def runner(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Talos:
    """A function that runs `talos ARGUMENTS…` in this process."""

    for name in ("COLUMNS", "FORCE_COLOR", "NO_COLOR"):  # the output must not depend on where the tests run
        monkeypatch.delenv(name, raising=False)

    def run(*arguments: object) -> Finished:
        monkeypatch.setattr(sys, "argv", ["talos", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as finished:
            main()
        streams = capsys.readouterr()
        assert isinstance(finished.value.code, int)
        return Finished(finished.value.code, streams.out, streams.err)

    return run
