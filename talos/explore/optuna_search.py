"""Search with Optuna: the tree-structured Parzen estimator for two objectives (Ozaki et al., 2020), in batches."""

import warnings
from collections.abc import Sequence
from math import log
from typing import Any

from talos.config import PRESETS, AcceleratorConfig
from talos.errors import TalosError
from talos.explore.search import Fits
from talos.explore.space import Space
from talos.explore.trial import Trial

__all__ = ["OptunaSearch"]

BATCH = 16
"""Configurations proposed at a time: how many run in parallel must not change the outcome, so it is fixed."""

_STARTUP = 48  # random configurations before the estimator has something to learn from
_ATTEMPTS = 2000  # proposals in a row that cannot be built, do not fit or are known, until the space counts as exhausted


class OptunaSearch:
    """Proposes `trials` configurations, first the presets that the space holds.

    Proposals that cannot be built, exceed the budget or were made before cost no trial: this is known without simulating.
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
        self._failed = optuna.trial.TrialState.FAIL
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore", optuna.exceptions.ExperimentalWarning
            )  # multivariate: tuned together, as fields are coupled
            sampler = optuna.samplers.TPESampler(seed=seed, multivariate=True, n_startup_trials=_STARTUP, constant_liar=True)
        self._study = optuna.create_study(directions=["minimize", "minimize"], sampler=sampler)
        self._seen: set[AcceleratorConfig] = set()
        self._asked: list[Any] = []
        for preset in PRESETS.values():
            if space.holds(preset):
                self._study.enqueue_trial(
                    {
                        name: getattr(preset, name) if _is_flag(values) else values.index(getattr(preset, name))
                        for name, values in space.choices.items()
                        if len(values) > 1
                    }
                )

    def ask(self) -> list[AcceleratorConfig]:
        """See `Search`."""
        batch: list[AcceleratorConfig] = []
        self._asked = []
        rejected = 0
        while len(batch) < BATCH and len(self._seen) < self.total and rejected < _ATTEMPTS:
            trial = self._study.ask()
            config = self._space.config(self._values(trial))
            if config is None or config in self._seen or not self._fits(config):
                self._study.tell(trial, state=self._failed)
                rejected += 1
                continue
            rejected = 0
            self._seen.add(config)
            batch.append(config)
            self._asked.append(trial)
        return batch

    def _values(self, trial: Any) -> dict[str, int | bool]:
        chosen: dict[str, int | bool] = {}
        for name, values in self._space.choices.items():
            if len(values) == 1:
                chosen[name] = values[0]
            elif _is_flag(values):
                chosen[name] = trial.suggest_categorical(name, values)
            else:  # numbers by their place in the list: they are ordered, and mostly powers of two
                chosen[name] = values[trial.suggest_int(name, 0, len(values) - 1)]
        return chosen

    def tell(self, trials: Sequence[Trial]) -> None:
        """See `Search`."""
        for asked, trial in zip(self._asked, trials, strict=True):
            if trial.error:
                self._study.tell(asked, state=self._failed)
            else:
                cycles, share = trial.costs
                self._study.tell(asked, [log(cycles), log(share)])


def _is_flag(values: Sequence[int | bool]) -> bool:
    return type(values[0]) is bool
