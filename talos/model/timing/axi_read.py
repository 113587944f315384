"""Cycle behaviour of the AXI read master; equal to `talos/rtl/axi_read.py` in every output and cycle. Without `halt`.

In each cycle:

1. To the bus, from the state: `AXI_READ_ARVALID`, `AXI_READ_ARID`, `AXI_READ_ARBEATS`, and `axi_read_ready` (rready).
   To the clients: `axi_read_client` (0 fetch, 1 load, 2 weights: whose beat is offered; -1 for none) and `AXI_READ_LAST`.
2. `axi_read_grant(state, fetch, load, weights, urgent)`: the client whose request is accepted, or -1.
3. `axi_read_clock(state, arready, grant, beats, rvalid, rid, rlast, taken)` ends the cycle: `beats` of the request granted; rvalid,
   rid, rlast as the bus shows them; `taken` = the offered beat's client is ready (looked at only if one is offered).
"""

import numpy as np
from numpy.typing import NDArray

from talos.config import AcceleratorConfig
from talos.model.timing.compiled import compiled

__all__ = [
    "AXI_READ_ARBEATS",
    "AXI_READ_ARID",
    "AXI_READ_ARVALID",
    "AXI_READ_LAST",
    "axi_read_client",
    "axi_read_clock",
    "axi_read_grant",
    "axi_read_ready",
    "axi_read_state",
]

AXI_READ_ARVALID = 0
AXI_READ_ARID = 1
AXI_READ_ARBEATS = 2
AXI_READ_LAST = 3  # of the beat offered to a client
_ID = 4
_LEVEL = 5  # beats in the two-entry buffer
_SPARE_ID = 6
_SPARE_LAST = 7
_UNDER_WAY = 8  # beats of each client between AR and the end of R
_LIMIT = 11
_AR_LEVEL = 12  # requests in AR's two-entry buffer
_AR_SPARE_ID = 13
_AR_SPARE_BEATS = 14
_SIZE = 15


def axi_read_state(config: AcceleratorConfig) -> NDArray[np.int64]:
    """The state of the read master after reset, 1-D int64."""
    state = np.zeros(_SIZE, np.int64)
    state[_LIMIT] = config.read_ahead
    return state


@compiled
def axi_read_ready(state: NDArray[np.int64]) -> bool:
    """rready."""
    return state[_LEVEL] < 2


@compiled
def axi_read_client(state: NDArray[np.int64]) -> int:
    """The client to whom a beat is offered, -1 for none."""
    return state[_ID] if state[_LEVEL] else -1


@compiled
def axi_read_grant(state: NDArray[np.int64], fetch: int, load: int, weights: int, urgent: int) -> int:
    """The client whose request is accepted in this cycle, -1 for none. `fetch`, `load` and `weights`: not 0 if a request is offered."""
    if state[_AR_LEVEL] == 2:
        return -1
    if fetch:
        return 0
    load = load and state[_UNDER_WAY + 1] < state[_LIMIT]
    weights = weights and state[_UNDER_WAY + 2] < state[_LIMIT]
    if load and not (weights and urgent):
        return 1
    return 2 if weights else -1


@compiled
def axi_read_clock(
    state: NDArray[np.int64], arready: int, grant: int, beats: int, rvalid: int, rid: int, rlast: int, taken: int
) -> None:
    """End the cycle."""
    requests = state[_AR_LEVEL]
    if requests and arready:
        requests -= 1
        state[AXI_READ_ARID] = state[_AR_SPARE_ID]
        state[AXI_READ_ARBEATS] = state[_AR_SPARE_BEATS]
    if grant >= 0:
        if requests:
            state[_AR_SPARE_ID] = grant
            state[_AR_SPARE_BEATS] = beats
        else:
            state[AXI_READ_ARID] = grant
            state[AXI_READ_ARBEATS] = beats
        state[_UNDER_WAY + grant] += beats
        requests += 1
    state[_AR_LEVEL] = requests
    state[AXI_READ_ARVALID] = requests != 0
    level = state[_LEVEL]
    arrived = rvalid and level < 2
    if level and taken:
        level -= 1
        state[_ID] = state[_SPARE_ID]
        state[AXI_READ_LAST] = state[_SPARE_LAST]
    if arrived:
        state[_UNDER_WAY + rid] -= 1
        if level:
            state[_SPARE_ID] = rid
            state[_SPARE_LAST] = rlast
        else:
            state[_ID] = rid
            state[AXI_READ_LAST] = rlast
        level += 1
    state[_LEVEL] = level
