"""The cache of what is costly to make: where it is, what it holds, and how it is kept small.

    cores/       the Verilog compiled by Verilator        verilog/   generated Verilog and RTLIL
    runtime/     Verilator's own runtime                  synth/     netlists and placements
    timing-KEY/  the compiled cycle model                 zoo/       models of the benchmarks

Everything in it can be made again. An entry's modification time is its last use (`mark_used`), so that what is old can be told and removed.
"""

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from talos.errors import TalosError

__all__ = ["CacheEntry", "cache_directory", "cache_entries", "mark_used", "prune_cache", "require_cache"]

_KINDS = {
    "cores": "simulations of the Verilog",
    "runtime": "Verilator's runtime",
    "verilog": "generated Verilog",
    "synth": "netlists and placements",
    "timing": "compiled cycle model",
    "zoo": "benchmark models",
}
_BESIDE = (".log", ".lock")  # files that belong to the entry of their stem
_DAY = 86400.0


@dataclass(frozen=True)
class CacheEntry:
    """One thing in the cache: the files and folders it consists of, their size in bytes, and when it was last used (seconds, Unix time)."""

    kind: str
    paths: tuple[Path, ...]
    size: int
    used: float


def cache_directory() -> Path:
    """Where the cache is: the environment variable TALOS_CACHE, else `talos` in the user's cache directory."""
    chosen = os.environ.get("TALOS_CACHE")
    if chosen:
        return Path(chosen).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "talos"


def require_cache(folder: Path) -> None:
    """Make a folder of the cache. Raises TalosError if that cannot be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        what = f"cannot write the build cache {folder}: {error.strerror}"
        raise TalosError(f"{what}; set TALOS_CACHE to a folder you can write") from error


def mark_used(path: Path) -> None:
    """Note that an entry was used now. A cache that may only be read is none the worse for it."""
    with suppress(OSError):
        os.utime(path)


def cache_entries() -> list[CacheEntry]:
    """All there is, the longest unused first; none if there is no cache."""
    return sorted((_entry(kind, paths) for kind, paths in _groups(cache_directory())), key=lambda entry: entry.used)


def prune_cache(days: float) -> list[CacheEntry]:
    """Remove what was not used for so many days, and return it. Raises TalosError if something cannot be removed."""
    old = [entry for entry in cache_entries() if entry.used <= time.time() - days * _DAY]
    for entry in old:
        for path in entry.paths:
            try:
                if path.is_dir():
                    shutil.rmtree(path)
                else:
                    path.unlink(missing_ok=True)
            except OSError as error:
                raise TalosError(f"{path}: cannot be removed ({error.strerror}); check the permissions of the cache") from error
    return old


def _groups(root: Path) -> Iterator[tuple[str, tuple[Path, ...]]]:
    """Kind and paths of every entry. A folder of a known name holds entries; any other file or folder is one itself."""
    for path in _listed(root):
        if path.name not in _KINDS or not path.is_dir():
            yield _KINDS.get(path.name.partition("-")[0], "other"), (path,)
            continue
        members: dict[str, list[Path]] = {}
        for member in _listed(path):
            members.setdefault(member.stem if member.suffix in _BESIDE else member.name.partition(".")[0], []).append(member)
        for paths in members.values():
            yield _KINDS[path.name], tuple(paths)


def _listed(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []  # it is not there, or was removed a moment ago


def _entry(kind: str, paths: tuple[Path, ...]) -> CacheEntry:
    size, used = 0, 0.0
    for path in paths:
        for found in [path, *(path.rglob("*") if path.is_dir() else ())]:
            with suppress(OSError):
                status = found.stat()
                size += status.st_size if found.is_file() else 0
                used = max(used, status.st_mtime)
    return CacheEntry(kind, paths, size, used)
