"""Port declarations that several units share: queue, synchronization and status of a unit, and ports into the memories.

All are seen from the unit that asks. The memory's side declares the same signature with `In`.
"""

from amaranth import unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from talos.isa import ADDRESS, SYNC_UNITS, Unit, unit_width

__all__ = ["ReadPort", "WritePort", "unit_ports"]

MASK = len(SYNC_UNITS)


def unit_ports(unit: Unit) -> dict[str, wiring.Member]:
    """The ports of every unit with an instruction queue; use as `super().__init__({**unit_ports(Unit.LOAD), ...})`.

    Members
    -------
    instr : In(stream)
        Head of the unit's queue, `isa.unit_width(unit)` bits. `ready` is 1 in the cycle of `start` only.
    wait : Out(4)
        Semaphores that the head waits for; 0 without a head.
    sync_ready : In(1)
        All semaphores in `wait` are above 0; means nothing without a head. A register, but for the store unit's halt.
    start : Out(1)
        The unit takes the head and its semaphores in this cycle.
    done, post : Out(1), Out(4)
        An instruction ends in this cycle; `post` is its mask and valid with `done`.
    busy, sync, stall : Out(1)
        At most one is 1: useful work; nothing running and the head waits only for semaphores; blocked by a resource.
    idle : Out(1)
        Nothing running and nothing in the pipelines; the queue is not counted.
    """
    return {
        "instr": In(stream.Signature(unsigned(unit_width(unit)))),
        "wait": Out(MASK),
        "sync_ready": In(1),
        "start": Out(1),
        "done": Out(1),
        "post": Out(MASK),
        "busy": Out(1),
        "sync": Out(1),
        "stall": Out(1),
        "idle": Out(1),
    }


class ReadPort(wiring.Signature):
    """A read port as its user sees it: `valid` and `address` ask, `grant` answers in the same cycle, `data` follows a fixed
    number of cycles after the grant.

    Parameters
    ----------
    data_bytes : bytes of `data`; byte 0 (bits 7:0) is the byte at `address`.
    address_width : bits of `address`.
    """

    def __init__(self, data_bytes: int, address_width: int = ADDRESS) -> None:
        self.data_bytes = data_bytes
        self.address_width = address_width
        super().__init__({"valid": Out(1), "address": Out(address_width), "grant": In(1), "data": In(8 * data_bytes)})


class WritePort(wiring.Signature):
    """A write port as its user sees it: bytes 0 … `count` − 1 of `data` go to `address` and the bytes after it, in the cycle in
    which `valid` and `grant` are 1.

    Parameters
    ----------
    data_bytes : bytes of `data`, the largest `count`.
    address_width : bits of `address`.
    """

    def __init__(self, data_bytes: int, address_width: int = ADDRESS) -> None:
        self.data_bytes = data_bytes
        self.address_width = address_width
        super().__init__(
            {
                "valid": Out(1),
                "address": Out(address_width),
                "count": Out(range(data_bytes + 1)),
                "data": Out(8 * data_bytes),
                "grant": In(1),
            }
        )
