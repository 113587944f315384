"""Where trials run: on an existing Dask cluster."""

from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError
from types import TracebackType
from typing import Any, Self

from talos.errors import TalosError
from talos.explore.evaluate import Job, Outcome, evaluate
from talos.explore.network import Network

__all__ = ["DaskWorkers"]

_CONNECT_SECONDS = "20s"


class DaskWorkers:
    """The workers of the Dask scheduler at `address`. They need the same version of Talos, and no files.

    A trial whose worker is lost runs again on another; so do the networks, which are the result of a task and not data that live on
    workers only.
    """

    def __init__(self, networks: Sequence[Network], address: str) -> None:
        """Raises TalosError if Dask is missing or nobody answers."""
        try:
            from distributed import Client
        except ModuleNotFoundError as error:
            raise TalosError(
                "--dask needs the package 'dask[distributed]'; install it with: pip install 'talos-accelerator[dask]'"
            ) from error
        try:
            self._client: Any = Client(address, timeout=_CONNECT_SECONDS, set_as_default=False)
        except (OSError, ValueError) as error:
            raise TalosError(f"--dask {address}: no scheduler answers ({error}); start one with: dask scheduler") from error
        self._networks: Any = self._client.submit(_hold, networks, pure=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._networks.release()
        self._client.close()

    def run(self, jobs: Sequence[Job]) -> Iterator[tuple[int, dict[str, Outcome]]]:
        """See `Workers`."""
        from distributed import KilledWorker, as_completed

        futures = {self._client.submit(evaluate, self._networks, job, pure=False): number for number, job in enumerate(jobs)}
        try:
            for future in as_completed(futures, loop=self._client.loop):
                yield futures[future], future.result()
        except KilledWorker as error:
            raise TalosError(f"a trial lost its Dask worker again and again ({error}); finished trials are kept") from error
        except (CancelledError, OSError) as error:
            raise TalosError(
                f"the Dask scheduler is gone ({error}); finished trials are kept, the same command goes on"
            ) from error
        finally:
            for future in futures:
                future.release()


def _hold(networks: Sequence[Network]) -> Sequence[Network]:
    return networks
