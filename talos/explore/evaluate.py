"""One trial: a network compiled for a configuration, and its cycles in the cycle model."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import talos
from talos.compiler.graph.ir import Graph
from talos.compiler.scheduling.schedule import schedule
from talos.config import AcceleratorConfig
from talos.errors import TalosError
from talos.explore.network import Network
from talos.memory import MemoryTiming
from talos.model.timing.core import simulate
from talos.runtime.device import memory_map

__all__ = ["Job", "Outcome", "code_hash", "evaluate", "measure"]

_SOURCES = ("*.py", "compiler/*.py", "model/**/*.py", "numerics/*.py")
_graphs: dict[str, Graph] = {}  # of this process, by the network's hash: reading one takes longer than a trial


@dataclass(frozen=True)
class Outcome:
    """cycles of one image, or why the network cannot be compiled for the configuration."""

    cycles: int | None
    error: str = ""


@dataclass(frozen=True)
class Job:
    """What one trial computes: the configuration's fields, and the hashes of the networks to run on it."""

    config: dict[str, Any]
    networks: tuple[str, ...]
    memory: MemoryTiming
    code: str


@cache
def code_hash() -> str:
    """Of all sources that decide how many cycles a network takes: results of other sources are not reused."""
    root = Path(talos.__file__).parent
    digest = hashlib.sha256()
    for path in sorted(path for pattern in _SOURCES for path in root.glob(pattern)):
        digest.update(str(path.relative_to(root)).encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def measure(graph: Graph, config: AcceleratorConfig, memory: MemoryTiming) -> Outcome:
    """Compile and simulate."""
    try:
        program = schedule(graph, config)
    except TalosError as error:
        return Outcome(None, str(error))
    return Outcome(simulate(program, memory, memory_map(program)[0]).cycles)


def evaluate(networks: Sequence[Network], job: Job) -> dict[str, Outcome]:
    """Outcome by network hash. Called in workers; TalosError if the worker runs another version of Talos than who asks."""
    if job.code != code_hash():
        raise TalosError(f"the worker runs other sources of Talos ({talos.__file__}); install the same version on all workers")
    config = AcceleratorConfig.from_json(job.config)
    outcomes = {}
    for network in networks:
        if network.hash in job.networks:
            if network.hash not in _graphs:
                _graphs[network.hash] = network.layers()
            outcomes[network.hash] = measure(_graphs[network.hash], config, job.memory)
    return outcomes
