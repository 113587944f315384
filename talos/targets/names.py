"""The targets by name; imports nothing, so that the command line can list them at once."""

import enum

__all__ = ["DEFAULT_CLOCK_MHZ", "Target"]


class Target(enum.StrEnum):
    """What the core is exported for."""

    VERILOG = "verilog"
    VIVADO = "vivado"
    LITEX = "litex"
    ECP5_BOARD = "ecp5-board"


DEFAULT_CLOCK_MHZ = {Target.VIVADO: 100.0, Target.ECP5_BOARD: 50.0}
"""Of the targets whose files name a clock."""
