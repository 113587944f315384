"""Running images through a program on one backend, a batch at a time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import TracebackType
from typing import Any, Literal, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from talos.errors import TalosError
from talos.memory import MemoryTiming
from talos.model.functional import FunctionalModel
from talos.model.timing.core import simulate
from talos.program import Program
from talos.runtime.device import Run, VerilatedDevice, memory_map, run_limit
from talos.runtime.execute import HostParts, input_tensors, split_batch, stack_batch
from talos.runtime.progress import Progress, silent

__all__ = ["Backend", "Device", "ImageRun", "Runner", "join_results", "run_images"]

Tensors = dict[str, NDArray[np.int8]]
Image = Mapping[str, NDArray[Any]]


class Device(Protocol):
    """What runs programs: the Verilog (`VerilatedDevice`), a core on an FPGA (`MappedDevice`), or what does the same."""

    def run(self, program: Program, tensors: Tensors) -> Run:
        """One run with the inputs' codes."""


Backend = Literal["model", "verilator"] | Device
"""What executes: the functional and the cycle model, the generated Verilog in Verilator, or a device of the caller's."""


@dataclass(frozen=True)
class ImageRun:
    """One image: the ONNX graph's outputs by name, and the cycles of the run in which the accelerator worked on it (and its batch)."""

    results: dict[str, NDArray[Any]]
    cycles: int


class Runner:
    """`program` made ready on `backend`; what costs time (host sessions, the cycle model's run, the Verilog's build) is done once.

    `memory` is the DRAM of the models and of "verilator"; a device has its own. Close it, or use `with`, to free a simulated core early.
    """

    def __init__(self, program: Program, backend: Backend = "model", memory: MemoryTiming | None = None) -> None:
        """Raises TalosError for an unknown backend, and if a host part cannot be loaded."""
        if isinstance(backend, str) and backend not in ("model", "verilator"):
            raise TalosError(f"no backend '{backend}'; choose 'model' or 'verilator', or pass a device")
        self.program = program
        self._backend = backend
        self._memory = memory
        self._host = HostParts(program)
        self._verilog: VerilatedDevice | None = None
        self._progress: Progress = silent

    @cached_property
    def cycles(self) -> int:
        """Cycles of one run in the cycle model: timing does not depend on data."""
        return simulate(self.program, self._memory, memory_map(self.program)[0], progress=self._progress).cycles

    @cached_property
    def _model(self) -> FunctionalModel:
        return FunctionalModel(self.program.config)

    def run(self, images: Sequence[Image], progress: Progress = silent) -> list[ImageRun]:
        """Run `images` (ONNX inputs by name), `program.batch` at a time; the last run is filled up. Raises TalosError."""
        self._progress = progress
        size = self.program.batch
        runs: list[ImageRun] = []
        if self._backend == "verilator":
            self._build()
        for start in range(0, len(images), size):
            values = [self._host.prepare(image) for image in images[start : start + size]]
            tensors = stack_batch(self.program, [input_tensors(self.program, image) for image in values])
            codes, cycles = self._execute(tensors, start, len(images))
            parts = split_batch(self.program, codes, len(values))
            runs += [ImageRun(self._host.finish(part, image), cycles) for part, image in zip(parts, values, strict=True)]
        return runs

    def _build(self) -> None:
        if self._verilog is None:
            self._progress(f"building the simulation of the Verilog ({self.program.config.name}; minutes the first time)", 0, 0)
            self._verilog = VerilatedDevice(self.program.config, timing=self._memory)

    def _execute(self, tensors: Tensors, done: int, total: int) -> tuple[Tensors, int]:
        if self._backend == "model":
            cycles = self.cycles
            self._progress("functional model", done, total)
            return self._model.run_codes(self.program, tensors), cycles
        if self._verilog is None:
            self._progress("device", done, total)
            assert not isinstance(self._backend, str)
            run = self._backend.run(self.program, tensors)
            return run.outputs, run.cycles
        size, cycles = self.program.batch, self.cycles
        before, work = done // size * cycles, -(-total // size) * cycles

        def report(stage: str, done: int, total: int) -> None:
            self._progress("Verilog", min(before + done, work), work)

        run = self._verilog.run(self.program, tensors, limit=run_limit(cycles), progress=report)
        return run.outputs, run.cycles

    def close(self) -> None:
        """Free the simulated core, if there is one."""
        if self._verilog is not None:
            self._verilog.close()
            self._verilog = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def run_images(
    program: Program,
    images: Sequence[Image],
    *,
    backend: Backend = "model",
    memory: MemoryTiming | None = None,
    progress: Progress = silent,
) -> list[ImageRun]:
    """Run `images` once; see `Runner`. Raises TalosError."""
    with Runner(program, backend, memory) as runner:
        return runner.run(images, progress)


def join_results(program: Program, runs: Sequence[ImageRun]) -> dict[str, NDArray[Any]]:
    """The results of all images by name, joined along the first dimension."""
    return {name: np.concatenate([np.atleast_1d(run.results[name]) for run in runs]) for name in program.results}
