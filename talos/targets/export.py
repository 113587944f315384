"""The files of each target."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from talos.board import Board
from talos.config import AcceleratorConfig
from talos.program import Program
from talos.targets.bench import bench_files
from talos.targets.ecp5_board import board_files
from talos.targets.litex import litex_files
from talos.targets.names import DEFAULT_CLOCK_MHZ, Target
from talos.targets.verilog import core_files
from talos.targets.vivado import vivado_files

__all__ = ["target_files"]


def target_files(
    target: Target,
    config: AcceleratorConfig,
    *,
    board: Board | None = None,
    clock_mhz: float | None = None,
    program: Program | None = None,
    runs: Sequence[dict[str, NDArray[np.int8]]] = (),
) -> dict[str, str]:
    """Texts by path in the target's folder.

    board: for the target ecp5-board. clock_mhz: of vivado's constraints. program: one for `config`, whose bench is then in `tb/`, with
    a golden run per entry of `runs`. Raises TalosError.
    """
    if target is Target.ECP5_BOARD:
        assert board is not None and program is None
        return board_files(board)
    if target is Target.VIVADO:
        files = vivado_files(config, clock_mhz=clock_mhz or DEFAULT_CLOCK_MHZ[target])
    elif target is Target.LITEX:
        files = litex_files(config)
    else:
        files = core_files(config)
    if program is not None:
        program.require_config(config, "the core to be generated")
        files |= bench_files(program, runs)
    return files
