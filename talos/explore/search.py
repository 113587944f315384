"""How the configurations to try are chosen."""

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from talos.config import AcceleratorConfig
from talos.explore.space import Space
from talos.explore.trial import Trial

__all__ = ["Fits", "GridSearch", "Search"]

Fits = Callable[[AcceleratorConfig], bool]

_BATCH = 256


class Search(Protocol):
    """Proposes configurations in batches and is told the outcome of each batch before it proposes the next.

    So what it proposes depends on the outcomes only: not on the order in which trials finish, nor on how many run at a time.
    """

    total: int
    """Configurations that it is going to propose, at most."""

    def ask(self) -> list[AcceleratorConfig]:
        """The next batch of configurations, none of them proposed before; empty at the end."""
        ...

    def tell(self, trials: Sequence[Trial]) -> None:
        """The outcomes of the last batch, in its order."""
        ...


class GridSearch:
    """Every configuration of the space that can be built and fits the budget."""

    def __init__(self, space: Space, fits: Fits) -> None:
        found = list(filter(fits, space.configs()))
        self.total = len(found)
        self._batches: Iterator[list[AcceleratorConfig]] = (found[i : i + _BATCH] for i in range(0, len(found), _BATCH))

    def ask(self) -> list[AcceleratorConfig]:
        """See `Search`."""
        return next(self._batches, [])

    def tell(self, trials: Sequence[Trial]) -> None:
        """See `Search`: the grid does not learn."""
