"""Pipeline depths that RTL and cycle model share, in cycles. One number, one place: a changed pipeline changes both."""

from talos.config import AcceleratorConfig

__all__ = ["ACC_READ", "ACT_READ", "ACT_WRITE", "FETCH_AHEAD", "LANE", "RMW", "array_latency"]

ACT_READ = 5
"""Activation memory: a read granted in cycle t has its data on the port in cycle t + ACT_READ."""

ACT_WRITE = 2
"""Activation memory: a write granted in cycle t is seen by reads granted in cycle t + ACT_WRITE and later."""

ACC_READ = 3
"""Accumulators: a drain read granted in cycle t has its data on the port in cycle t + ACC_READ."""

RMW = 3
"""Accumulators: a matrix read in cycle t is written back at the clock edge that ends cycle t + RMW."""

LANE = 17
"""Requantization lane: operand in cycle t, int8 result in cycle t + LANE (odd, so that a second pass falls into the free slots)."""

FETCH_AHEAD = 8
"""Instructions that fetch asks for before the oldest of them is in its unit's queue (a number of entries, not of cycles)."""


def array_latency(config: AcceleratorConfig) -> int:
    """Cycles from an activation vector at the array's input to its deskewed column sums at the accumulators' input."""
    return config.rows + config.cols + 3
