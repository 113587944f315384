"""The exploration: batches from the search, trials on the workers, results in the store, the Pareto front of all."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from talos.config import AcceleratorConfig
from talos.explore.area import AreaModel
from talos.explore.budget import Budget
from talos.explore.evaluate import Job, Outcome, code_hash
from talos.explore.network import Network
from talos.explore.pareto import pareto_front
from talos.explore.search import Search
from talos.explore.store import Store
from talos.explore.trial import Trial
from talos.explore.workers import Workers
from talos.memory import MemoryTiming
from talos.runtime.progress import Progress, silent
from talos.synth.resources import Resources

__all__ = ["SHARE", "Exploration", "area_cost", "explore"]

SHARE = "share"
"""Area as the mean share of the budget (`Budget.share`)."""


@dataclass(frozen=True)
class Exploration:
    """trials: in the order proposed. computed: simulations made now; the others were in the store."""

    budget: Budget
    area: str
    memory: MemoryTiming
    trials: list[Trial]
    computed: int

    @property
    def front(self) -> list[Trial]:
        """The trials with the fewest cycles for their area, fastest first."""
        return pareto_front((trial for trial in self.trials if not trial.error), lambda trial: trial.costs)

    def to_json(self) -> dict[str, Any]:
        """For --json."""
        return {
            "budget": self.budget.limits,
            "area": self.area,
            "memory": str(self.memory),
            "front": [trial.to_json() for trial in self.front],
            "trials": [trial.to_json() for trial in self.trials],
        }


def area_cost(budget: Budget, area: str) -> Callable[[Resources], float]:
    """The second objective: the share of `budget`, or the amount of the resource that `area` names."""
    return budget.share if area == SHARE else lambda resources: float(getattr(resources, area))


def explore(
    networks: Sequence[Network],
    search: Search,
    workers: Workers,
    store: Store,
    *,
    model: AreaModel,
    budget: Budget,
    area: str = SHARE,
    memory: MemoryTiming | None = None,
    progress: Progress = silent,
) -> Exploration:
    """Run the search to its end. Every finished trial is in `store` at once, so an interruption loses none. Raises TalosError."""
    memory = memory or MemoryTiming()
    cost = area_cost(budget, area)
    trials: list[Trial] = []
    computed = 0
    stage = f"trying configurations on {', '.join(network.name for network in networks)}"
    while batch := search.ask():
        jobs: list[Job] = []
        places: list[AcceleratorConfig] = []
        for config in batch:
            unknown = tuple(network.hash for network in networks if store.get(network.hash, config) is None)
            if unknown:
                jobs.append(Job(config.to_json(), unknown, memory, code_hash()))
                places.append(config)
        done = len(trials) + len(batch) - len(jobs)
        progress(stage, done, search.total)
        for number, outcomes in workers.run(jobs):
            store.add(places[number], outcomes)
            computed += len(outcomes)
            done += 1
            progress(stage, done, search.total)
        found = [_trial(networks, store, config, model, cost) for config in batch]
        search.tell(found)
        trials += found
    return Exploration(budget, area, memory, trials, computed)


def _trial(
    networks: Sequence[Network], store: Store, config: AcceleratorConfig, model: AreaModel, cost: Callable[[Resources], float]
) -> Trial:
    area = model.estimate(config)
    cycles: dict[str, int] = {}
    for network in networks:
        outcome: Outcome | None = store.get(network.hash, config)
        assert outcome is not None
        if outcome.cycles is None:
            return Trial(config, area, cost(area), {}, outcome.error)
        cycles[network.name] = outcome.cycles
    return Trial(config, area, cost(area), cycles)
