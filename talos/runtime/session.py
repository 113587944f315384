"""Running a batch of images through one backend."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from talos.memory import MemoryTiming
from talos.model.functional import FunctionalModel
from talos.model.timing.core import simulate
from talos.program import Program
from talos.runtime.device import VerilatedDevice, memory_map, run_limit
from talos.runtime.execute import HostParts, input_tensors, split_batch, stack_batch
from talos.runtime.progress import Progress, silent

__all__ = ["ImageRun", "run_images"]

Tensors = dict[str, NDArray[np.int8]]


@dataclass(frozen=True)
class ImageRun:
    """One image: the ONNX graph's outputs by name, and the cycles of the run in which the accelerator worked on it (and its batch)."""

    results: dict[str, NDArray[Any]]
    cycles: int


def run_images(
    program: Program,
    images: Sequence[Mapping[str, NDArray[Any]]],
    *,
    rtl: bool = False,
    memory: MemoryTiming | None = None,
    progress: Progress = silent,
) -> list[ImageRun]:
    """Run `images` (ONNX inputs by name) on the models, or with `rtl` on the generated Verilog, and through the host parts.

    A program for a batch takes so many images in a run; the last run is filled up. The models take the cycles from one run of the
    cycle model: timing does not depend on data. Raises TalosError.
    """
    host = HostParts(program)
    runs: list[ImageRun] = []
    progress("cycle model", 0, 0)
    cycles = simulate(program, memory, memory_map(program)[0]).cycles
    groups = [images[start : start + program.batch] for start in range(0, len(images), program.batch)]
    work = len(groups) * cycles

    def run_groups(execute: Callable[[Tensors], tuple[Tensors, int]]) -> None:
        for group in groups:
            values = [host.prepare(image) for image in group]
            codes, took = execute(stack_batch(program, [input_tensors(program, image) for image in values]))
            parts = split_batch(program, codes, len(group))
            runs.extend(ImageRun(host.finish(part, image), took) for part, image in zip(parts, values, strict=True))

    if not rtl:
        model = FunctionalModel(program.config)

        def on_model(tensors: Tensors) -> tuple[Tensors, int]:
            progress("functional model", len(runs), len(images))
            return model.run_codes(program, tensors), cycles

        run_groups(on_model)
        return runs
    progress(f"building the simulation of the Verilog ({program.config.name}; minutes the first time)", 0, 0)
    device = VerilatedDevice(program.config, timing=memory)

    def report(stage: str, done: int, total: int) -> None:
        progress("Verilog", min(len(runs) // program.batch * cycles + done, work), work)

    def on_verilog(tensors: Tensors) -> tuple[Tensors, int]:
        run = device.run(program, tensors, limit=run_limit(cycles), progress=report)
        return run.outputs, run.cycles

    try:
        run_groups(on_verilog)
    finally:
        device.close()
    return runs
