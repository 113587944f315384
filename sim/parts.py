"""Drivers, monitors and responders for the ports that units share: streams, memory ports, instruction queue."""

from collections import deque
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from sim.bench import Checker, Testbench
from talos.isa import Instruction, unit_width

__all__ = ["ReadMemory", "StreamSink", "StreamSource", "UnitDriver", "WriteMemory", "to_bytes", "to_int"]

Bytes = npt.NDArray[np.uint8]


def to_int(data: Bytes | npt.NDArray[np.int8] | npt.NDArray[np.int32]) -> int:
    """Bytes of an array, the first in the lowest bits."""
    return int.from_bytes(data.tobytes(), "little")


def to_bytes(value: int, count: int) -> Bytes:
    """Inverse of `to_int` for uint8."""
    return np.frombuffer(value.to_bytes(count, "little"), np.uint8)


class StreamSource:
    """Offers the payloads in `queue` with random gaps; what is offered stays until it is taken.

    name: the stream's prefix in the port names. chance: that a cycle without an offer begins one. taken: called with each payload.
    """

    def __init__(self, bench: Testbench, name: str, chance: float, taken: Callable[[int], None] | None = None) -> None:
        self._bench = bench
        self._valid, self._ready, self._payload = (getattr(bench.dut, f"{name}__{p}") for p in ("valid", "ready", "payload"))
        self._chance = chance
        self._taken = taken
        self._offered = False
        self.queue: deque[int] = deque()

    def drive(self) -> None:
        self._offered = bool(self.queue) and (self._offered or self._bench.chance(self._chance))
        self._valid.value = self._offered
        self._payload.value = self.queue[0] if self._offered else self._bench.random.getrandbits(len(self._payload))

    def sample(self) -> None:
        if self._offered and int(self._ready.value):
            payload = self.queue.popleft()
            self._offered = False
            if self._taken is not None:
                self._taken(payload)


class StreamSink:
    """Takes payloads in random cycles and hands them to `seen`; checks that an offer stays unchanged until it is taken."""

    def __init__(self, bench: Testbench, name: str, chance: float, seen: Callable[[int], None]) -> None:
        self._bench = bench
        self._name = name
        self._valid, self._ready, self._payload = (getattr(bench.dut, f"{name}__{p}") for p in ("valid", "ready", "payload"))
        self._chance = chance
        self._seen = seen
        self._held: int | None = None

    def drive(self) -> None:
        self._is_ready = self._bench.chance(self._chance)
        self._ready.value = self._is_ready

    def sample(self) -> None:
        valid = int(self._valid.value)
        payload = int(self._payload.value) if valid else None
        assert self._held in (None, payload), f"cycle {self._bench.cycle}: {self._name} changed while it was not ready"
        self._held = payload
        if payload is not None and self._is_ready:
            self._held = None
            self._seen(payload)


class ReadMemory:
    """Answers a `ReadPort`: grants in random cycles, data `latency` cycles after the grant, noise otherwise.

    read: address → bytes, called in the cycle of the grant.
    """

    def __init__(self, bench: Testbench, name: str, latency: int, chance: float, read: Callable[[int], int]) -> None:
        self._bench = bench
        self._valid, self._address, self._grant, self._data = (
            getattr(bench.dut, f"{name}__{p}") for p in ("valid", "address", "grant", "data")
        )
        self._latency = latency
        self._chance = chance
        self._read = read
        self._arriving: dict[int, int] = {}
        self.grants = 0

    def drive(self) -> None:
        self._granted = self._bench.chance(self._chance)
        self._grant.value = self._granted
        noise = self._bench.random.getrandbits(len(self._data))
        self._data.value = self._arriving.pop(self._bench.cycle, noise)

    def sample(self) -> None:
        if self._granted and int(self._valid.value):
            self.grants += 1
            self._arriving[self._bench.cycle + self._latency] = self._read(int(self._address.value))


class WriteMemory:
    """Answers a `WritePort`: grants in random cycles and writes into `memory`, whose addresses wrap."""

    def __init__(self, bench: Testbench, name: str, chance: float, memory: Bytes) -> None:
        self._bench = bench
        self._valid, self._address, self._count, self._data, self._grant = (
            getattr(bench.dut, f"{name}__{p}") for p in ("valid", "address", "count", "data", "grant")
        )
        self._chance = chance
        self._memory = memory
        self._granted = False

    def drive(self) -> None:
        self._granted = self._bench.chance(self._chance)
        self._grant.value = self._granted

    def sample(self) -> None:
        if self._granted and int(self._valid.value):
            count = int(self._count.value)
            data = to_bytes(int(self._data.value), len(self._data) // 8)
            self._memory[(int(self._address.value) + np.arange(count)) % self._memory.size] = data[:count]


class UnitDriver:
    """The instruction queue and the semaphores of a unit: offers `instructions` with random gaps, releases them at random, and checks
    the rules of `talos.rtl.unit.unit_ports` and that every instruction ends, in order, with its own mask."""

    def __init__(self, bench: Testbench, instructions: Sequence[Instruction], *, instr: float = 1.0, sync: float = 1.0) -> None:
        self._bench = bench
        width = unit_width(instructions[0].unit)
        words = [int.from_bytes(i.encode(), "little") & ((1 << width) - 1) for i in instructions]
        self._source = StreamSource(bench, "instr", instr, lambda _: self._starts.append(bench.cycle))
        self._source.queue.extend(words)
        self._sync = sync
        self._starts: list[int] = []
        self._idle = False
        self.posts = Checker("instruction end", [i["post"] for i in instructions])

    def drive(self) -> None:
        self._source.drive()
        self._bench.dut.sync_ready.value = self._bench.chance(self._sync)

    def sample(self) -> None:
        dut = self._bench.dut
        before = len(self._starts)
        self._source.sample()
        started = len(self._starts) > before
        assert bool(int(dut.start.value)) == started, f"cycle {self._bench.cycle}: start is not the transfer of an instruction"
        assert not (started and not int(dut.sync_ready.value)), f"cycle {self._bench.cycle}: started without its semaphores"
        busy, sync, stall = (int(port.value) for port in (dut.busy, dut.sync, dut.stall))
        assert busy + sync + stall <= 1, f"cycle {self._bench.cycle}: busy, sync and stall are {busy}, {sync}, {stall}"
        self._idle = bool(int(dut.idle.value))
        if int(dut.done.value):
            self.posts.see(int(dut.post.value))

    @property
    def finished(self) -> bool:
        """Every instruction has ended and the unit is idle."""
        return self.posts.complete and self._idle
