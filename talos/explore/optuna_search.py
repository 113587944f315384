"""Search with Optuna: the tree-structured Parzen estimator for two objectives (Ozaki et al., 2020), in batches."""

import random
import warnings
from collections.abc import Sequence
from math import log
from typing import Any

from talos.config import PRESETS, AcceleratorConfig
from talos.errors import TalosError
from talos.explore.search import Fits
from talos.explore.space import Space
from talos.explore.trial import Trial

__all__ = ["BATCH", "OptunaSearch"]

_Places = dict[str, int]  # field → place of its value among its values

BATCH = 16
"""Configurations proposed at a time: how many run in parallel must not change the outcome, so it is fixed."""

_STARTUP = 48  # random configurations before the estimator has something to learn from
_STEPS = 64  # from a proposal that cannot be taken to one that can
_ATTEMPTS = 60  # proposals in a row without one that can be taken, until the space counts as exhausted


class OptunaSearch:
    """Proposes `trials` configurations, first the presets that the space holds.

    A proposal that cannot be built, exceeds the budget or was made before costs no trial, which is known without simulating: a random walk
    of single steps in single fields leads from it to a configuration that can be tried. Near the front, where the estimator
    soon repeats itself, this is a local search.
    """

    def __init__(self, space: Space, fits: Fits, *, trials: int, seed: int) -> None:
        """Raises TalosError if Optuna is missing."""
        try:
            import optuna
        except ModuleNotFoundError as error:
            raise TalosError(
                "--method optuna needs the package 'optuna'; install it with: pip install 'talos-accelerator[explore]', "
                "or use --method grid"
            ) from error
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self.total = trials
        self._space = space
        self._fits = fits
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore", optuna.exceptions.ExperimentalWarning
            )  # multivariate: tuned together, as fields are coupled
            sampler = optuna.samplers.TPESampler(seed=seed, multivariate=True, n_startup_trials=_STARTUP, constant_liar=True)
        self._study = optuna.create_study(directions=["minimize", "minimize"], sampler=sampler)
        self._optuna = optuna
        self._random = random.Random(seed)
        self._tuned = {name: values for name, values in space.choices.items() if len(values) > 1}
        self._seen: set[AcceleratorConfig] = set()
        self._asked: list[tuple[Any, _Places]] = []
        for preset in PRESETS.values():
            if space.holds(preset):
                self._study.enqueue_trial({name: values.index(getattr(preset, name)) for name, values in self._tuned.items()})

    def ask(self) -> list[AcceleratorConfig]:
        """See `Search`."""
        batch: list[AcceleratorConfig] = []
        self._asked = []
        attempts = 0
        while len(batch) < BATCH and len(self._seen) < self.total and attempts < _ATTEMPTS:
            trial = self._study.ask()
            # By their place in the list: the values are ordered, and mostly powers of two.
            proposed = {name: trial.suggest_int(name, 0, len(values) - 1) for name, values in self._tuned.items()}
            found = self._acceptable(proposed)
            if found is None or found[1] != proposed:
                self._study.tell(trial, state=self._optuna.trial.TrialState.FAIL)
                trial = None
            attempts += 1
            if found is not None:
                config, places = found
                self._seen.add(config)
                batch.append(config)
                self._asked.append((trial, places))
                attempts = 0
        return batch

    def _acceptable(self, proposed: _Places) -> tuple[AcceleratorConfig, _Places] | None:
        """The configuration at `proposed`, or the first one on a walk from there that can be tried; None if there is none in reach."""
        places = dict(proposed)
        for _ in range(_STEPS if self._tuned else 1):
            config = self._space.config({name: values[places.get(name, 0)] for name, values in self._space.choices.items()})
            if config is not None and config not in self._seen and self._fits(config):
                return config, places
            if self._tuned:
                name = self._random.choice(list(self._tuned))
                moved = places[name] + self._random.choice((-1, 1))
                places[name] = min(max(moved, 0), len(self._tuned[name]) - 1)
        return None

    def tell(self, trials: Sequence[Trial]) -> None:
        """See `Search`."""
        optuna = self._optuna
        for (asked, places), trial in zip(self._asked, trials, strict=True):
            if trial.error:
                if asked is not None:
                    self._study.tell(asked, state=optuna.trial.TrialState.FAIL)
                continue
            values = [log(cost) for cost in trial.costs]
            if asked is not None:
                self._study.tell(asked, values)
            else:
                ranges = {name: optuna.distributions.IntDistribution(0, len(there) - 1) for name, there in self._tuned.items()}
                self._study.add_trial(optuna.trial.create_trial(params=places, distributions=ranges, values=values))
