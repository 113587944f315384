"""Where trials run: in processes on this machine."""

import multiprocessing
import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Protocol, Self

from talos.errors import TalosError
from talos.explore.evaluate import Job, Outcome, evaluate
from talos.explore.network import Network

__all__ = ["LocalWorkers", "Workers"]

Finished = tuple[int, dict[str, Outcome]]

_networks: Sequence[Network] = ()  # of a worker process


class Workers(AbstractContextManager["Workers"], Protocol):
    """Runs jobs somewhere; a context manager that ends what it started."""

    def run(self, jobs: Sequence[Job]) -> Iterator[Finished]:
        """Yields the number of a job and its outcomes as soon as it is finished, in any order. Raises TalosError."""
        ...


class LocalWorkers:
    """`jobs` processes of this machine; with one, this process itself."""

    def __init__(self, networks: Sequence[Network], jobs: int) -> None:
        self._networks = networks
        self._pool: ProcessPoolExecutor | None = None
        if jobs > 1:
            # Not forked: threads of numerical libraries do not survive that.
            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(jobs, mp_context=context, initializer=_start, initargs=(networks,))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def run(self, jobs: Sequence[Job]) -> Iterator[Finished]:
        """See `Workers`."""
        if self._pool is None:
            yield from ((number, evaluate(self._networks, job)) for number, job in enumerate(jobs))
            return
        try:
            futures = {self._pool.submit(_run, job): number for number, job in enumerate(jobs)}
            for future in as_completed(futures):
                yield futures[future], future.result()
        except BrokenProcessPool as error:
            raise TalosError(
                "a worker process ended by itself (out of memory?); finished trials are kept: the same command goes on, try a smaller --jobs"
            ) from error


def _start(networks: Sequence[Network]) -> None:
    global _networks  # noqa: PLW0603 - the process's own, set once
    _networks = networks
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends the worker at once and without a traceback


def _run(job: Job) -> dict[str, Outcome]:
    return evaluate(_networks, job)
