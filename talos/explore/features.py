"""Which optional features of the core the networks need, and which of them only make it faster."""

from collections.abc import Sequence

from talos.config import AcceleratorConfig
from talos.explore.evaluate import measure
from talos.explore.network import Network
from talos.memory import MemoryTiming

__all__ = ["OPTIONAL", "feature_choices"]

OPTIONAL = ("multiply", "residual", "lookup", "pool", "depthwise")


def feature_choices(networks: Sequence[Network], base: AcceleratorConfig, memory: MemoryTiming) -> dict[str, tuple[bool, ...]]:
    """For each optional feature: on if a network cannot be compiled without it, off if it saves no cycle on `base`, else both.

    A feature is left out together with those found useless before it, so `residual` (which `multiply` needs) can be.
    """
    graphs = [network.layers() for network in networks]

    def cycles(config: AcceleratorConfig) -> list[int] | None:
        found = []
        for graph in graphs:
            outcome = measure(graph, config, memory)
            if outcome.cycles is None:
                return None
            found.append(outcome.cycles)
        return found

    current = base.replace(**dict.fromkeys(OPTIONAL, True))
    with_all = cycles(current)
    choices: dict[str, tuple[bool, ...]] = {}
    for name in OPTIONAL:
        if name == "residual" and current.multiply:
            choices[name] = (True,)
            continue
        without = current.replace(**{name: False})
        found = cycles(without)
        choices[name] = (True,) if found is None else (False,) if found == with_all else (False, True)
        if choices[name] == (False,):
            current = without
    return choices
