"""Program.run"""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from talos.api.sources import find_memory
from talos.errors import TalosError
from talos.memory import MemoryTiming
from talos.program import Program
from talos.runtime.progress import Progress, silent
from talos.runtime.samples import load_samples
from talos.runtime.session import Backend, ImageRun, Runner, join_results

__all__ = ["Results", "run_on", "run_program"]


class Results(dict[str, NDArray[Any]]):
    """The network's results by name, those of all images joined along the first dimension.

    `cycles[i]` are the cycles of the run in which the accelerator worked on image i.
    """

    def __init__(self, values: Mapping[str, NDArray[Any]], cycles: Iterable[int]) -> None:
        super().__init__(values)
        self.cycles = tuple(cycles)


def run_program(
    program: Program,
    x: ArrayLike | Mapping[str, ArrayLike],
    backend: Backend = "model",
    *,
    memory: MemoryTiming | str | None = None,
    progress: Progress | None = None,
) -> Results:
    """See `Program.run`."""
    with Runner(program, backend, find_memory(memory)) as runner:
        return run_on(runner, x, progress or silent)


def run_on(runner: Runner, x: ArrayLike | Mapping[str, ArrayLike], progress: Progress = silent) -> Results:
    """Run one image, or n of them stacked, on what `runner` has made ready. Raises TalosError for inputs that do not fit."""
    runs: list[ImageRun] = runner.run(_images(runner.program, x), progress)
    return Results(join_results(runner.program, runs), (run.cycles for run in runs))


def _images(program: Program, x: ArrayLike | Mapping[str, ArrayLike]) -> list[dict[str, NDArray[Any]]]:
    names = [feed.name for feed in program.feeds]
    if not isinstance(x, Mapping):
        if len(names) != 1:
            raise TalosError(f"program '{program.name}' has the inputs {', '.join(names)}; pass a dictionary of arrays by name")
        x = {names[0]: x}
    if set(x) != set(names):
        given = ", ".join(map(str, x)) or "none"
        raise TalosError(f"program '{program.name}' needs the inputs {', '.join(names)}; given were {given}")
    arrays = {name: np.asarray(array) for name, array in x.items()}
    return load_samples(program, arrays, f"inputs of program '{program.name}'", None).inputs
