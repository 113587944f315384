"""What is known of one configuration: area, and the cycles of every network."""

from dataclasses import dataclass
from math import exp, fsum, log
from typing import Any

from talos.config import AcceleratorConfig
from talos.synth.resources import Resources

__all__ = ["Trial"]


@dataclass(frozen=True)
class Trial:
    """area: estimated. share: the cost that the area counts as (`explore.area_cost`). cycles: network name → cycles of one image; empty
    if `error` says why a network cannot be compiled."""

    config: AcceleratorConfig
    area: Resources
    share: float
    cycles: dict[str, int]
    error: str = ""

    @property
    def mean_cycles(self) -> float:
        """Geometric mean over the networks: halving the cycles of any of them counts the same."""
        return exp(fsum(map(log, self.cycles.values())) / len(self.cycles))

    @property
    def costs(self) -> tuple[float, float]:
        """Both objectives."""
        return self.mean_cycles, self.share

    def to_json(self) -> dict[str, Any]:
        """For --json."""
        return {
            "config": self.config.to_json(),
            "config_hash": self.config.hash,
            "cycles": self.cycles,
            "mean_cycles": round(self.mean_cycles, 3) if self.cycles else None,
            "area": self.area.to_json(),
            "area_cost": self.share,
            "error": self.error or None,
        }
