"""The golden vectors in the folder `vectors`: what is written where before a run, and what must be there after it."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["Run", "Vectors"]

FOLDER = Path(__file__).parent / "vectors"


@dataclass(frozen=True)
class Run:
    """One start of the core: (address, bytes) of its inputs and of its expected outputs."""

    inputs: list[tuple[int, bytes]]
    outputs: list[tuple[int, bytes]]


class Vectors:
    """`bench.json` and the files that it names. Addresses are those of the core's AXI4 master."""

    def __init__(self) -> None:
        self._values: dict[str, Any] = json.loads((FOLDER / "bench.json").read_text())
        self.beat_bytes: int = self._values["beat_bytes"]
        self.latency: int = self._values["memory"]["latency"]
        self.outstanding: int = self._values["memory"]["outstanding"]
        self.cycles: int = self._values["cycles"]
        self.registers: dict[str, int] = self._values["registers"]
        self.expected_registers: dict[str, int] = self._values["expected_registers"]
        self.setup: list[tuple[str, int]] = [(name, value) for name, value in self._values["setup"]]
        self.runs = [Run(_pieces(run["inputs"]), _pieces(run["outputs"])) for run in self._values["runs"]]

    def memory(self) -> bytearray:
        """The memory before the first run: the program's constants, zeros elsewhere."""
        contents = bytearray(self._values["memory_bytes"])
        for address, data in _pieces(self._values["constants"]):
            contents[address : address + len(data)] = data
        return contents


def _pieces(entries: list[dict[str, Any]]) -> list[tuple[int, bytes]]:
    return [(entry["address"], bytes.fromhex((FOLDER / entry["file"]).read_text())) for entry in entries]
