"""How long work took that cannot say how far it is, so that the next time there is an estimate of the time left."""

import json
from contextlib import suppress
from typing import Any

from talos.cache import cache_directory, require_cache
from talos.errors import TalosError
from talos.program import write_atomically

__all__ = ["LEAST_SECONDS", "Durations"]

LEAST_SECONDS = 2.0
"""What is shorter is not remembered: it was found in the cache, or needs no estimate."""

_MOST = 200  # stages remembered


class Durations:
    """Seconds by the name of the stage, kept in the cache."""

    def __init__(self) -> None:
        self._path = cache_directory() / "durations.json"
        self._seconds: dict[str, float] = {}
        with suppress(OSError, ValueError):  # none yet, or damaged: there is no estimate then
            read: Any = json.loads(self._path.read_text())
            if isinstance(read, dict):
                self._seconds = {name: float(value) for name, value in read.items() if isinstance(value, int | float)}

    def expected(self, stage: str) -> float | None:
        """What `stage` took the last time."""
        return self._seconds.get(stage)

    def remember(self, stage: str, seconds: float) -> None:
        """Note that `stage` took so long. An estimate that cannot be kept is no error."""
        if seconds < LEAST_SECONDS:
            return
        kept = {name: value for name, value in self._seconds.items() if name != stage}
        self._seconds = dict([*kept.items(), (stage, round(seconds, 1))][-_MOST:])
        text = json.dumps(self._seconds, indent=0, ensure_ascii=False)
        with suppress(TalosError):
            require_cache(self._path.parent)
            write_atomically(self._path, lambda file: file.write(text.encode()))
