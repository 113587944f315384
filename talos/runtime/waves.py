"""Where waves go: the format that a file's name asks for, and a file that appears only when it is complete."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from talos.errors import TalosError
from talos.runtime.build import WaveFormat

__all__ = ["complete_waves", "wave_format"]


def wave_format(path: Path) -> WaveFormat:
    """The format of a file of that name. Raises TalosError for any but .vcd and .fst."""
    match path.suffix.lower():
        case ".vcd":
            return "vcd"
        case ".fst":
            return "fst"
        case _:
            raise TalosError(f"{path}: waves are written as .fst (compact) or .vcd (text); name a file that ends in one of these")


@contextmanager
def complete_waves(path: Path) -> Iterator[Path]:
    """A file beside `path` to write waves to, which becomes `path` at the end: after an error too, for that is what one looks at.

    After an interrupt nothing is left. Raises TalosError if the file cannot be written.
    """
    temporary = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    try:
        try:
            yield temporary
        except TalosError:
            _keep(temporary, path)
            raise
        _keep(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _keep(temporary: Path, path: Path) -> None:
    if temporary.exists():
        try:
            temporary.replace(path)
        except OSError as error:
            raise TalosError(f"{path}: cannot be written ({error.strerror}); choose another place") from error
