"""Running a batch of images through one backend."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from talos.memory import MemoryTiming
from talos.model.functional import FunctionalModel
from talos.model.timing.core import simulate
from talos.program import Program
from talos.runtime.device import VerilatedDevice, memory_map, run_limit
from talos.runtime.execute import input_tensors
from talos.runtime.progress import Progress, silent

__all__ = ["ImageRun", "run_images"]


@dataclass(frozen=True)
class ImageRun:
    """One image: the accelerator's output tensors (int8 HWC by ONNX name) and the cycles it took."""

    outputs: dict[str, NDArray[np.int8]]
    cycles: int


def run_images(
    program: Program,
    images: Sequence[Mapping[str, NDArray[Any]]],
    *,
    rtl: bool = False,
    memory: MemoryTiming | None = None,
    progress: Progress = silent,
) -> list[ImageRun]:
    """Run `images` (ONNX inputs by name) on the models, or with `rtl` on the generated Verilog. Raises TalosError.

    The models take the cycles from one run of the cycle model: timing does not depend on data.
    """
    tensors = [input_tensors(program, image) for image in images]
    runs: list[ImageRun] = []
    progress("cycle model", 0, 0)
    cycles = simulate(program, memory, memory_map(program)[0]).cycles
    if not rtl:
        model = FunctionalModel(program.config)
        for index, codes in enumerate(tensors):
            runs.append(ImageRun(model.run_codes(program, codes), cycles))
            progress("functional model", index + 1, len(tensors))
        return runs
    progress(f"building the simulation of the Verilog ({program.config.name}; minutes the first time)", 0, 0)
    device = VerilatedDevice(program.config, timing=memory)
    work = len(tensors) * cycles

    def report(stage: str, done: int, total: int) -> None:
        progress("Verilog", min(len(runs) * cycles + done, work), work)

    try:
        for codes in tensors:
            run = device.run(program, codes, limit=run_limit(cycles), progress=report)
            runs.append(ImageRun(run.outputs, run.cycles))
    finally:
        device.close()
    return runs
