"""What the commands write: text and tables to standard output, progress to standard error, JSON to a file or standard output."""

import json
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console, RenderableType

from talos.errors import TalosError
from talos.program import write_atomically
from talos.runtime.progress import Progress, silent

__all__ = ["Terminal", "require_writable"]

PIPE_WIDTH = 160  # columns where the output is no terminal: wide enough not to break the tables


class Terminal:
    """Output of one command. With JSON on standard output, or `quiet`, text is left out. Colours respect NO_COLOR and pipes (rich)."""

    def __init__(self, *, quiet: bool = False, json_path: Path | None = None) -> None:
        """Raises TalosError at once if `json_path` cannot be written."""
        self._json = json_path
        self._silent = quiet or json_path == Path("-")
        self._quiet = quiet
        width = None if sys.stdout.isatty() or "COLUMNS" in os.environ else PIPE_WIDTH
        self._out = Console(width=width, highlight=False)
        if json_path is not None and json_path != Path("-"):
            require_writable(json_path)

    @property
    def width(self) -> int:
        """Columns of the output."""
        return self._out.width

    def line(self, text: str = "") -> None:
        """One line as it is, not wrapped."""
        if not self._silent:
            self._out.print(text, markup=False, soft_wrap=True)

    def lines(self, lines: Iterable[str]) -> None:
        """Several of them."""
        for text in lines:
            self.line(text)

    def show(self, *parts: RenderableType) -> None:
        """Tables and styled text."""
        if not self._silent:
            for part in parts:
                self._out.print(part, soft_wrap=isinstance(part, str))

    def write_json(self, values: Any) -> None:
        """The result, if --json asks for it."""
        if self._json is None:
            return
        text = json.dumps(values, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
        if self._json == Path("-"):
            sys.stdout.write(text)
            sys.stdout.flush()
        else:
            write_atomically(self._json, lambda file: file.write(text.encode()))

    @contextmanager
    def progress(self) -> Iterator[Progress]:
        """A display of the work inside: bar, time spent and time left. Nothing with --quiet or where standard error is no terminal."""
        if self._quiet or not sys.stderr.isatty():
            yield silent
            return
        from talos.cli.progress_bar import ProgressBar

        with ProgressBar() as bar:
            yield bar


def require_writable(path: Path) -> None:
    """Raise TalosError if no file can be written at `path`: found out before the work, not after it."""
    folder = path.parent
    if path.is_dir():
        raise TalosError(f"{path}: cannot be written (it is a folder); name a file")
    if not folder.is_dir():
        raise TalosError(f"{path}: cannot be written (there is no folder {folder}); create it or choose another place")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise TalosError(f"{path}: cannot be written (no permission to write in {folder}); choose another place")
