"""Pipeline depths that RTL and cycle model share, in cycles. One number, one place: a changed pipeline changes both."""

from talos.config import AcceleratorConfig

__all__ = [
    "ACC_READ", "ACC_SUMS", "ACT_READ", "ACT_WRITE", "FETCH_AHEAD", "LANE", "MAX_WRITES", "NEAR_BEATS", "NEAR_END_BITS", "RECORD_DELAY",
    "RMW", "SET_RELEASE", "STORE_AHEAD", "WINDOW", "array_latency", "urgent_beats",
]  # fmt: skip

ACT_READ = 5
"""Activation memory: a read granted in cycle t has its data on the port in cycle t + ACT_READ."""

ACT_WRITE = 2
"""Activation memory: a write granted in cycle t is seen by reads granted in cycle t + ACT_WRITE and later."""

NEAR_END_BITS = 3
"""Activation memory: rows of a bank with so many ones in front are near its end; see `talos/rtl/activation.py`. A number of bits."""

ACC_READ = 3
"""Accumulators: a drain read granted in cycle t has its data on the port in cycle t + ACC_READ."""

WINDOW = 2
"""Window reducer: a position in cycle t is in its output from cycle t + WINDOW on."""

RMW = 3
"""Accumulators: a matrix access (a read, unless it overwrites) in cycle t is written at the clock edge that ends cycle t + RMW."""

ACC_SUMS = 2
"""Accumulators: the column sums that an access in cycle t adds arrive in cycle t + ACC_SUMS."""

LANE = 23
"""Requantization lane: operand in cycle t, int8 result in cycle t + LANE (odd, so that a second pass falls into the free slots)."""

SET_RELEASE = 7
"""Requantization lane: the parameters of an operand of cycle t are read for the last time in cycle t + SET_RELEASE."""

RECORD_DELAY = 3
"""Parameter memory: a record read in cycle t is written into its lane at the end of cycle t + RECORD_DELAY."""

FETCH_AHEAD = 8
"""Instructions that fetch asks for before the oldest of them is in its unit's queue (a number of entries, not of cycles)."""

NEAR_BEATS = 4
"""Beats between the weight FIFO's block RAM and its word register (a number of beats): as many as there are cycles from a beat's read
until the place that it leaves is seen there, so that a beat can leave in every cycle."""

MAX_WRITES = 16
"""Write bursts without a response that the store unit allows (a power of two)."""

STORE_AHEAD = 16
"""Beats of the store unit between the grant of their read and the W channel; enough to cover the read's latency."""


def urgent_beats(config: AcceleratorConfig) -> int:
    """The weight stream is urgent below this many beats stored or under way: four tiles and a DRAM latency, at most half the FIFO."""
    beats = config.weight_fifo_bytes // config.beat_bytes
    return min(beats // 2, 4 * config.rows * config.cols // config.beat_bytes + config.read_ahead // 2)


def array_latency(config: AcceleratorConfig) -> int:
    """Cycles from an activation vector at the array's input to its deskewed column sums at the accumulators' input.

    One per row and column of skew, and the PE's operand, multiplier (2), product and sum registers.
    """
    return config.rows + config.cols + 3
