"""The rules of AXI4, checked in every cycle on the five channels of the core's master."""

from collections import deque
from typing import Any

from sim.bench import Testbench
from talos.latency import MAX_WRITES

__all__ = ["AxiMonitor"]

_PAYLOADS = {
    "ar": ("addr", "len", "size", "burst", "id", "cache", "prot"),
    "aw": ("addr", "len", "size", "burst", "id", "cache", "prot"),
    "w": ("data", "strb", "last"),
    "r": ("id", "data", "resp", "last"),
    "b": ("id", "resp"),
}
_MASTER = ("ar", "aw", "w")
_PATIENCE = 5000  # cycles in which a beat on R may wait; longer and the core hangs


class _Channel:
    """VALID, READY and payload of a channel in this cycle; checks that an offer stays as it is until it is accepted."""

    def __init__(self, bench: Testbench, name: str) -> None:
        self._bench = bench
        self.name = name
        self._valid, self._ready = (getattr(bench.dut, f"m_axi_{name}{port}") for port in ("valid", "ready"))
        self._ports = [getattr(bench.dut, f"m_axi_{name}{port}") for port in _PAYLOADS[name]]
        self._held: tuple[int, ...] | None = None
        self.clear()

    def clear(self) -> None:
        self._held = None
        self.offered = self.begins = self.accepted = False
        self.payload: dict[str, int] = {}

    def sample(self) -> None:
        self.offered = bool(int(self._valid.value))
        offer = tuple(int(port.value) for port in self._ports) if self.offered else None
        assert self._held in (None, offer), f"cycle {self._bench.cycle}: {self.name} changed before it was accepted"
        self.begins = self.offered and self._held is None
        self.accepted = self.offered and bool(int(self._ready.value))
        self._held = None if self.accepted else offer
        self.payload = dict(zip(_PAYLOADS[self.name], offer or (), strict=False))


class AxiMonitor:
    """Monitor of the core's AXI master; each violation fails the test with its cycle.

    On every channel an offer stays until it is accepted, payload included. Bursts are whole beats, INCR, aligned, within 4 KiB, and
    neither longer nor more than allowed. W has the beats that AW promised, with WLAST on the last, and none before its address is
    offered. R and B belong to accepted bursts, in order for each id, B only after the last beat. The core takes R within a time and
    B at once. In reset no VALID is up.

    quiet: nothing is offered or under way. moving: bursts not yet finished, reads and writes.
    """

    def __init__(self, bench: Testbench) -> None:
        self._bench = bench
        self._channels = {name: _Channel(bench, name) for name in _PAYLOADS}
        self._in_reset = False
        self.finished = 0
        self._clear()

    def _clear(self) -> None:
        for channel in self._channels.values():
            channel.clear()
        self._reads: dict[int, deque[int]] = {0: deque(), 1: deque(), 2: deque()}  # by id: beats left of each burst
        self._writes: deque[int] = deque()  # beats left of each burst whose address is or was offered
        self._addresses = self._complete = self._answered = (
            0  # write bursts: address accepted, last beat accepted, response accepted
        )
        self._offered = 0
        self._waited = 0
        self.quiet = True

    @property
    def moving(self) -> int:
        return sum(map(len, self._reads.values())) + self._offered - self._answered

    def drive(self) -> None:
        pass

    def sample(self) -> None:
        if int(self._bench.dut.rst.value):
            if self._in_reset:  # outputs follow the first edge with reset
                for name in _MASTER:
                    valid: Any = getattr(self._bench.dut, f"m_axi_{name}valid")
                    assert not int(valid.value), self._at(f"{name}valid in reset")
            self._in_reset = True
            self._clear()
            return
        self._in_reset = False
        for channel in self._channels.values():
            channel.sample()
        self._sample_read(self._channels["r"], self._channels["ar"])
        self._sample_write(self._channels["b"], self._channels["aw"], self._channels["w"])
        self.quiet = not (any(self._channels[name].offered for name in _MASTER) or self.moving)

    def _sample_read(self, r: _Channel, ar: _Channel) -> None:
        self._waited = self._waited + 1 if r.offered and not r.accepted else 0
        assert self._waited < _PATIENCE, self._at(f"read data wait for {_PATIENCE} cycles")
        if r.offered:
            bursts = self._reads[r.payload["id"]]
            assert bursts, self._at("read data without a burst")
            assert bool(r.payload["last"]) == (bursts[0] == 1), self._at("RLAST")
            if r.accepted:
                bursts[0] -= 1
                if bursts[0] == 0:
                    bursts.popleft()
                    self.finished += 1
        if ar.begins:
            self._check_address(ar)
        if ar.accepted:
            self._reads[ar.payload["id"]].append(ar.payload["len"] + 1)

    def _sample_write(self, b: _Channel, aw: _Channel, w: _Channel) -> None:
        if b.offered:
            assert self._answered < min(self._addresses, self._complete), self._at("a response without a complete burst")
            assert b.accepted, self._at("a response waits")
            self._answered += 1
            self.finished += 1
        if aw.begins:
            self._check_address(aw)
            self._writes.append(aw.payload["len"] + 1)
            self._offered += 1
            assert self._offered - self._answered <= MAX_WRITES, self._at(f"more than {MAX_WRITES} writes")
        if w.offered:
            assert self._writes, self._at("write data before their address")
            assert bool(w.payload["last"]) == (self._writes[0] == 1), self._at("WLAST")
        self._addresses += aw.accepted
        if w.accepted:
            self._writes[0] -= 1
            if self._writes[0] == 0:
                self._writes.popleft()
                self._complete += 1

    def _check_address(self, channel: _Channel) -> None:
        config, payload = self._bench.config, channel.payload
        address, beats = payload["addr"], payload["len"] + 1
        assert 1 << payload["size"] == config.beat_bytes, self._at(f"{channel.name}: not whole beats")
        assert payload["burst"] == 1, self._at(f"{channel.name}: not INCR")
        assert address % config.beat_bytes == 0, self._at(f"{channel.name}: {address:#x} is not aligned")
        assert beats <= config.max_burst, self._at(f"{channel.name}: {beats} beats")
        assert address // 4096 == (address + beats * config.beat_bytes - 1) // 4096, self._at(f"{channel.name} crosses 4 KiB")

    def _at(self, what: str) -> str:
        return f"cycle {self._bench.cycle}: {what}"
