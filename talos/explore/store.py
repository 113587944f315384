"""Results of finished trials in a file, one JSON object a line: what is known need not be computed again, whenever a run was stopped."""

import fcntl
import json
from pathlib import Path
from typing import Any

from talos.config import AcceleratorConfig
from talos.errors import TalosError
from talos.explore.evaluate import Outcome, code_hash
from talos.memory import MemoryTiming

__all__ = ["Store"]


class Store:
    """Outcomes by network, configuration, memory timing and sources of Talos.

    Each is appended as soon as it is known. A last line that an interruption cut short is dropped. Several runs may use one file.
    """

    def __init__(self, path: Path, memory: MemoryTiming) -> None:
        """Read what is there. Raises TalosError if the file cannot be read or written, or is something else."""
        self._path = path
        self._memory = str(memory)
        self._known: dict[tuple[str, str], Outcome] = {}
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("ab+") as file:  # also finds out whether it can be written
                fcntl.flock(file, fcntl.LOCK_EX)
                file.seek(0)
                text = file.read()
                whole = text.rpartition(b"\n")[0] + b"\n" if b"\n" in text else b""
                for number, line in enumerate(whole.splitlines(), 1):
                    self._read(number, line)
                if len(whole) < len(text):
                    file.truncate(len(whole))
        except OSError as error:
            raise TalosError(f"{path}: cannot be written ({error.strerror}); choose another file with --results") from error

    def _read(self, number: int, line: bytes) -> None:
        try:
            entry: dict[str, Any] = json.loads(line)
            key = (entry["network"], entry["config"])
            outcome = Outcome(entry["cycles"], entry["error"])
            ours = entry["code"] == code_hash() and entry["memory"] == self._memory
        except (ValueError, KeyError, TypeError) as error:
            raise TalosError(
                f"{self._path}: line {number} is no result of 'talos explore'; choose another file with --results"
            ) from error
        if ours:
            self._known[key] = outcome

    def get(self, network: str, config: AcceleratorConfig) -> Outcome | None:
        """What is known of the network with that hash on `config`."""
        return self._known.get((network, config.hash))

    def add(self, config: AcceleratorConfig, outcomes: dict[str, Outcome]) -> None:
        """Write the outcomes, by network hash, to the file."""
        lines = []
        for network, outcome in outcomes.items():
            self._known[network, config.hash] = outcome
            key = {"network": network, "config": config.hash, "memory": self._memory, "code": code_hash()}
            lines.append(json.dumps({**key, "cycles": outcome.cycles, "error": outcome.error, "fields": config.to_json()}) + "\n")
        with self._path.open("ab", buffering=0) as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.write("".join(lines).encode())
