"""The Pareto configurations synthesized for real, beside their estimate."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from talos.explore.budget import RESOURCES, Budget
from talos.explore.trial import Trial
from talos.runtime.progress import Progress, silent
from talos.synth.devices import Device
from talos.synth.flow import synthesize
from talos.synth.resources import Resources

__all__ = ["Synthesized", "synthesize_front"]


@dataclass(frozen=True)
class Synthesized:
    """area: as Yosys made it. exceeded: the resources of the budget of which it takes too much."""

    trial: Trial
    area: Resources
    exceeded: list[str]

    @property
    def difference(self) -> dict[str, float]:
        """Real area over estimate minus one, by resource; 0 where both are 0."""
        return {name: _ratio(getattr(self.area, name), getattr(self.trial.area, name)) for name in RESOURCES}

    def to_json(self) -> dict[str, Any]:
        """For --json."""
        return {
            "config_hash": self.trial.config.hash,
            "area": self.area.to_json(),
            "difference": {name: round(value, 4) for name, value in self.difference.items()},
            "exceeded": self.exceeded,
        }


def _ratio(real: float, estimate: float) -> float:
    return real / estimate - 1 if estimate else 0.0


def synthesize_front(front: Sequence[Trial], device: Device, budget: Budget, progress: Progress = silent) -> list[Synthesized]:
    """Each of `front` through Yosys, minutes each unless `talos synth` has cached it. Raises TalosError."""
    results = []
    for number, trial in enumerate(front):
        progress(f"synthesizing {trial.config.name}", number, len(front))
        area = synthesize(trial.config, device, seeds=0).total
        results.append(Synthesized(trial, area, budget.exceeded(area)))
    return results
