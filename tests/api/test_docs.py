"""The examples of docs/python-api.md run, one after another, as a reader would run them."""

import re
from pathlib import Path
from typing import Any

import pytest

from tests.cli_runner import MODELS

PAGE = MODELS.parent / "docs" / "python-api.md"


def test_the_examples_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "models").symlink_to(MODELS)
    monkeypatch.chdir(tmp_path)
    page = PAGE.read_text()
    blocks = re.findall(r"^```python\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    assert len(blocks) >= 9
    names: dict[str, Any] = {}
    for block in blocks:
        line = page[: page.index(block)].count("\n")
        exec(compile("\n" * line + block, str(PAGE), "exec"), names)
    printed = capsys.readouterr().out
    assert f"{names['trace'].cycles}" not in ("", "0") and "needs float32; convert it (astype)" in printed
    assert {path.name for path in tmp_path.iterdir()} == {"models", "digits.talos", "digits_int8.onnx", "trace.json"}


def test_the_page_describes_every_public_name() -> None:
    import talos

    text = PAGE.read_text()
    hidden = {"__version__", "MemoryTiming", "Results", "Trace", "PlacementReport"}  # described by what makes them
    assert not [name for name in talos.__all__ if name not in hidden and name not in text]


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)]+)\)", PAGE.read_text()):
        assert (PAGE.parent / target).exists(), target
