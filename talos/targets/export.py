"""The files of each target."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from talos.config import AcceleratorConfig
from talos.program import Program
from talos.targets.bench import bench_files
from talos.targets.litex import litex_files
from talos.targets.names import DEFAULT_CLOCK_MHZ, Target
from talos.targets.verilog import core_files
from talos.targets.vivado import vivado_files

__all__ = ["target_files"]


def target_files(
    target: Target,
    config: AcceleratorConfig,
    *,
    clock_mhz: float = DEFAULT_CLOCK_MHZ,
    program: Program | None = None,
    runs: Sequence[dict[str, NDArray[np.int8]]] = (),
) -> dict[str, str]:
    """Texts by path in the target's folder; with `program` (for `config`) also its bench in `tb/`, with a golden run per entry of `runs`.

    Raises TalosError.
    """
    if target is Target.VIVADO:
        files = vivado_files(config, clock_mhz=clock_mhz)
    elif target is Target.LITEX:
        files = litex_files(config)
    else:
        files = core_files(config)
    if program is not None:
        program.require_config(config, "the core to be generated")
        files |= bench_files(program, runs)
    return files
