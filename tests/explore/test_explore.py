"""Explorations of a small space: all ways to the same front, and nothing lost when one is cut short."""

import pytest

from talos.config import PRESETS
from talos.explore.area import area_model
from talos.explore.evaluate import Outcome, measure
from talos.explore.explore import explore
from talos.explore.features import feature_choices
from talos.explore.optuna_search import BATCH, OptunaSearch
from talos.explore.search import GridSearch
from talos.explore.store import Store
from talos.explore.workers import LocalWorkers
from talos.memory import MemoryTiming
from tests.explore.conftest import DEVICE

MODEL = area_model(DEVICE)


class Counting:
    """In-process workers that hand results back in reverse order, and stop after `stop` of them as Ctrl-C would."""

    def __init__(self, networks, stop=None):
        self.inner = LocalWorkers(networks, 1)
        self.stop = stop
        self.count = 0

    def run(self, jobs):
        for result in reversed(list(self.inner.run(jobs))):
            if self.count == self.stop:
                raise KeyboardInterrupt
            self.count += 1
            yield result


def run(digits, search, workers, path, budget):
    return explore([digits], search, workers, Store(path, MemoryTiming()), model=MODEL, budget=budget)


def test_grid_is_the_whole_space_and_exact(digits, space, budget, fits, tmp_path):
    result = run(digits, GridSearch(space, fits), LocalWorkers([digits], 1), tmp_path / "r", budget)
    expected = [config for config in space.configs() if fits(config)]
    assert [trial.config for trial in result.trials] == expected and len(expected) > 30
    graph = digits.layers()
    for trial in result.trials[::7]:
        assert Outcome(trial.cycles["digits"]) == measure(graph, trial.config, MemoryTiming())
        assert trial.area == MODEL.estimate(trial.config) and trial.share == budget.share(trial.area)
    front = result.front
    assert len(front) > 2 and [t.share for t in front] == sorted((t.share for t in front), reverse=True)
    assert front[0].mean_cycles == pytest.approx(min(trial.mean_cycles for trial in result.trials))


def test_interrupted_anywhere_goes_on_without_loss(digits, space, budget, fits, tmp_path):
    whole = run(digits, GridSearch(space, fits), Counting([digits]), tmp_path / "whole", budget)
    for stop in (5, 20):
        with pytest.raises(KeyboardInterrupt):
            run(digits, GridSearch(space, fits), Counting([digits], stop), tmp_path / "r", budget)
    rest = Counting([digits])
    resumed = run(digits, GridSearch(space, fits), rest, tmp_path / "r", budget)
    assert rest.count == resumed.computed == len(whole.trials) - 25
    assert resumed.to_json() == whole.to_json()
    assert run(digits, GridSearch(space, fits), Counting([digits], 0), tmp_path / "r", budget).computed == 0


def test_optuna_repeats_itself_whatever_the_workers_do(digits, space, budget, fits, tmp_path):
    def search(seed):
        return OptunaSearch(space, fits, trials=40, seed=seed)

    first = run(digits, search(3), LocalWorkers([digits], 1), tmp_path / "a", budget)
    other_order = run(digits, search(3), Counting([digits]), tmp_path / "b", budget)
    assert first.to_json() == other_order.to_json()
    configs = [trial.config for trial in first.trials]
    assert len(set(configs)) == len(configs) == 40 and all(map(space.holds, configs)) and all(map(fits, configs))
    assert [t.config for t in run(digits, search(4), Counting([digits]), tmp_path / "c", budget).trials] != configs


def test_optuna_begins_with_the_presets_and_ends_with_the_space(digits, space, budget, fits, tmp_path):
    held = space.with_choices({"multiply": (False, True), "weight_fifo_bytes": (1 << 12, 1 << 15), "rows": (8,), "cols": (8,)})
    search = OptunaSearch(held, fits, trials=1000, seed=0)
    batch = search.ask()
    assert batch[0] == PRESETS["8x8"] and len(batch) == BATCH
    search = OptunaSearch(held, fits, trials=1000, seed=0)
    result = run(digits, search, Counting([digits]), tmp_path / "r", budget)
    assert {trial.config for trial in result.trials} == {config for config in held.configs() if fits(config)}


def test_what_cannot_hold_the_network_says_so(digits, space, budget, fits, tmp_path):
    without = space.with_choices({"pool": (False, True)})
    result = run(digits, OptunaSearch(without, fits, trials=30, seed=0), Counting([digits]), tmp_path / "r", budget)
    failed = [trial for trial in result.trials if trial.error]
    assert failed and all(not trial.config.pool and "pool" in trial.error for trial in failed)
    assert len(failed) < 30 and all(trial.config.pool for trial in result.front)


def test_processes_give_the_same(digits, space, budget, fits, tmp_path):
    few = space.with_choices({"rows": (4,), "lanes": (4,)})
    alone = run(digits, GridSearch(few, fits), LocalWorkers([digits], 1), tmp_path / "a", budget)
    with LocalWorkers([digits], 2) as workers:
        together = run(digits, GridSearch(few, fits), workers, tmp_path / "b", budget)
    assert together.to_json() == alone.to_json() and together.computed == len(together.trials) > 6


def test_features_that_the_network_needs(digits):
    choices = feature_choices([digits], PRESETS["8x8"], MemoryTiming())
    assert choices["multiply"] == (False,) and choices["residual"] == (True,) and choices["pool"] == (True,)
    assert choices["lookup"] == (False,) and choices["depthwise"] == (False,)
