"""Cycle behaviour of the DRAM behind the AXI4 master; equal to `talos/runtime/harness/axi_memory.h` in every output and cycle.

The memory is a set of registers clocked with the core. `memory_step` is one rising edge: it takes the core's outputs as they
stand just before the edge and moves the state `m`, whose first `MEM_OUTPUTS` entries are the memory's outputs after the edge.
At edge number `now` (the first edge is 0), with `beat` the bytes of one beat and `rate` the credit gained per cycle:

1. One number r is drawn from xorshift32. Channel i (AR 0, R 1, AW 2, W 3, B 4) pauses if 8·((r >> 5·i) & 31) < stall.
2. Read side: the presented beat leaves if rvalid and rready; after a burst's last beat it is no longer in flight. An address
   handshake queues a burst, ready `latency` edges later. The credit grows by `rate`, up to beat + rate − 1. If no beat is
   presented, the oldest burst is ready, the credit covers a beat and R does not pause, its next beat is presented and paid for.
   arready after the edge = (bursts in flight < outstanding) and AR does not pause.
3. Write side: the presented response leaves if bvalid and bready. An address handshake puts a burst in flight. A data handshake
   pays for a beat, and with wlast queues a response, ready `latency` edges later. The credit grows as for reads. If no response
   is presented, the oldest is ready and B does not pause, it is presented. awready as arready; wready after the edge = (the
   data of a burst whose address was accepted is not complete) and (the credit covers a beat) and W does not pause.

Bursts are answered strictly in the order of their addresses, whatever their ids. Data offered before their burst's address handshake
wait for it. Addresses and data play no part in timing, so they do not appear here.
"""

import numpy as np
from numpy.typing import NDArray

from talos.memory import MAX_OUTSTANDING, MemoryTiming
from talos.model.timing.compiled import compiled

__all__ = [
    "MEM_ARREADY",
    "MEM_AWREADY",
    "MEM_BID",
    "MEM_BVALID",
    "MEM_INFLIGHT",
    "MEM_NOW",
    "MEM_OUTPUTS",
    "MEM_RID",
    "MEM_RLAST",
    "MEM_RVALID",
    "MEM_WINFLIGHT",
    "MEM_WREADY",
    "memory_state",
    "memory_step",
]

# Outputs, valid until the next step.
MEM_ARREADY = 0
MEM_RVALID = 1
MEM_RLAST = 2
MEM_RID = 3
MEM_AWREADY = 4
MEM_WREADY = 5
MEM_BVALID = 6
MEM_BID = 7
MEM_OUTPUTS = 8

# Progress that reports may read.
MEM_NOW = 8
MEM_INFLIGHT = 9
MEM_WINFLIGHT = 10

_RANDOM = 11
_READ_CREDIT = 12
_WRITE_CREDIT = 13
_READ_BEATS_LEFT = 14  # of the burst at the queue's head
_READ_HEAD, _READ_TAIL = 15, 16  # queues count entries without wrapping; slots are taken modulo the ring
_ID_HEAD, _ID_TAIL = 17, 18  # ids of write bursts whose data is not complete
_RESPONSE_HEAD, _RESPONSE_TAIL = 19, 20
_BEAT, _RATE, _LATENCY, _OUTSTANDING, _STALL = 21, 22, 23, 24, 25

_RING = MAX_OUTSTANDING  # a power of two
_RING_MASK = _RING - 1
_READ_BEATS = 32
_READ_IDS = _READ_BEATS + _RING
_READ_READY = _READ_IDS + _RING
_WRITE_IDS = _READ_READY + _RING
_RESPONSE_IDS = _WRITE_IDS + _RING
_RESPONSE_READY = _RESPONSE_IDS + _RING
_STATE_SIZE = _RESPONSE_READY + _RING


def memory_state(timing: MemoryTiming, data_width: int) -> NDArray[np.int64]:
    """The state of an idle memory before edge 0, for a bus of `data_width` bits: a 1-D int64 array, changed by `memory_step`."""
    beat = data_width // 8
    m = np.zeros(_STATE_SIZE, np.int64)
    m[_RANDOM] = timing.seed
    m[_BEAT] = beat
    m[_RATE] = timing.beat_credit(beat)
    m[_LATENCY] = timing.latency
    m[_OUTSTANDING] = timing.outstanding
    m[_STALL] = timing.stall
    return m


@compiled
def memory_step(
    m: NDArray[np.int64],
    arvalid: int,
    arbeats: int,
    arid: int,
    rready: int,
    awvalid: int,
    awid: int,
    wvalid: int,
    wlast: int,
    bready: int,
) -> None:
    """One rising edge. Arguments: the core's outputs just before it; `arbeats` is arlen + 1."""
    now = m[MEM_NOW]
    beat = m[_BEAT]
    stall = m[_STALL]
    r = m[_RANDOM]
    r ^= (r << 13) & 0xFFFFFFFF
    r ^= r >> 17
    r ^= (r << 5) & 0xFFFFFFFF
    m[_RANDOM] = r

    inflight = m[MEM_INFLIGHT]
    rvalid = m[MEM_RVALID]
    if rvalid and rready:
        rvalid = 0
        inflight -= m[MEM_RLAST]
    if arvalid and m[MEM_ARREADY]:
        tail = m[_READ_TAIL]
        slot = tail & _RING_MASK
        m[_READ_BEATS + slot] = arbeats
        m[_READ_IDS + slot] = arid
        m[_READ_READY + slot] = now + m[_LATENCY]
        if tail == m[_READ_HEAD]:
            m[_READ_BEATS_LEFT] = arbeats
        m[_READ_TAIL] = tail + 1
        inflight += 1
    credit = min(m[_READ_CREDIT] + m[_RATE], beat + m[_RATE] - 1)
    head = m[_READ_HEAD]
    if not rvalid and head != m[_READ_TAIL] and credit >= beat and (r >> 5 & 31) * 8 >= stall:
        slot = head & _RING_MASK
        if now >= m[_READ_READY + slot]:
            rvalid = 1
            credit -= beat
            m[MEM_RID] = m[_READ_IDS + slot]
            left = m[_READ_BEATS_LEFT] - 1
            m[MEM_RLAST] = left == 0
            if left == 0:
                head += 1
                m[_READ_HEAD] = head
                left = m[_READ_BEATS + (head & _RING_MASK)]
            m[_READ_BEATS_LEFT] = left
    m[_READ_CREDIT] = credit
    m[MEM_INFLIGHT] = inflight
    m[MEM_RVALID] = rvalid
    m[MEM_ARREADY] = inflight < m[_OUTSTANDING] and (r & 31) * 8 >= stall

    inflight = m[MEM_WINFLIGHT]
    bvalid = m[MEM_BVALID]
    if bvalid and bready:
        bvalid = 0
        inflight -= 1
    if awvalid and m[MEM_AWREADY]:
        m[_WRITE_IDS + (m[_ID_TAIL] & _RING_MASK)] = awid
        m[_ID_TAIL] += 1
        inflight += 1
    credit = m[_WRITE_CREDIT]
    if wvalid and m[MEM_WREADY]:
        credit -= beat
        if wlast:
            slot = m[_RESPONSE_TAIL] & _RING_MASK
            m[_RESPONSE_IDS + slot] = m[_WRITE_IDS + (m[_ID_HEAD] & _RING_MASK)]
            m[_RESPONSE_READY + slot] = now + m[_LATENCY]
            m[_RESPONSE_TAIL] += 1
            m[_ID_HEAD] += 1
    credit = min(credit + m[_RATE], beat + m[_RATE] - 1)
    head = m[_RESPONSE_HEAD]
    if not bvalid and head != m[_RESPONSE_TAIL] and (r >> 20 & 31) * 8 >= stall:
        slot = head & _RING_MASK
        if now >= m[_RESPONSE_READY + slot]:
            bvalid = 1
            m[MEM_BID] = m[_RESPONSE_IDS + slot]
            m[_RESPONSE_HEAD] = head + 1
    m[_WRITE_CREDIT] = credit
    m[MEM_WINFLIGHT] = inflight
    m[MEM_BVALID] = bvalid
    m[MEM_AWREADY] = inflight < m[_OUTSTANDING] and (r >> 10 & 31) * 8 >= stall
    m[MEM_WREADY] = m[_ID_HEAD] != m[_ID_TAIL] and credit >= beat and (r >> 15 & 31) * 8 >= stall
    m[MEM_NOW] = now + 1
