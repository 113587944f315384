"""The targets by name; imports nothing, so that the command line can list them at once."""

import enum

__all__ = ["DEFAULT_CLOCK_MHZ", "Target"]

DEFAULT_CLOCK_MHZ = 100.0


class Target(enum.StrEnum):
    """What the core is exported for."""

    VERILOG = "verilog"
    VIVADO = "vivado"
    LITEX = "litex"
