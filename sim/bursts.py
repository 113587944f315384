"""The memory behind a unit's burst streams: `ar` and `r` of a reader, `aw`, `w` and `b` of a writer."""

from collections import deque
from typing import Any

import numpy as np

from sim.bench import Testbench
from sim.parts import Bytes, StreamSink, StreamSource, to_bytes, to_int
from talos.rtl.axi_read import read_data_layout, read_request_layout
from talos.rtl.axi_write import write_data_layout

__all__ = ["BASES", "BurstReader", "BurstWriter", "random_rows", "row_addresses", "set_bases"]

BASES = (0, 0x1003, 0xFFFF_F001, 0x4_2000)
"""Base addresses of the regions in the units' benches: unaligned, and near the end of the address space."""


def set_bases(bench: Testbench) -> None:
    """Drive the units' `bases` inputs."""
    for i, base in enumerate(BASES):
        getattr(bench.dut, f"bases__{i}").value = base


def random_rows(bench: Testbench, prefix: str, memory: int) -> dict[str, int]:
    """Fields of a random LOAD or STORE: any addresses and strides; `prefix` names the on-chip side, of `memory` bytes."""
    rng, beat = bench.random, bench.config.beat_bytes
    return {
        "region": rng.randrange(4),
        "address": rng.randrange(1 << 32),
        "row_bytes": rng.choice(
            [1, rng.randint(1, 12), rng.randint(1, 5 * beat), rng.randint(1, 2 * beat * bench.config.max_burst)]
        ),
        "rows": rng.choice([1, rng.randint(1, 6)]),
        "planes": rng.choice([1, rng.randint(1, 3)]),
        "row_stride": rng.choice([rng.randrange(-(1 << 31), 1 << 31), rng.randrange(-200, 200)]),
        "plane_stride": rng.randrange(-(1 << 31), 1 << 31),
        prefix: rng.randrange(memory),
        f"{prefix}_row_stride": rng.randrange(-300, 300),
        f"{prefix}_plane_stride": rng.randrange(-2000, 2000),
        "wait": rng.randrange(16),
        "post": rng.randrange(16),
    }


def row_addresses(i: Any, base: int, row_stride: str, plane_stride: str) -> list[np.ndarray]:
    """Byte addresses of each row of instruction `i`, planes outermost; the caller takes them modulo a memory's size."""
    return [
        base + plane * i[plane_stride] + row * i[row_stride] + np.arange(i["row_bytes"])
        for plane in range(i["planes"])
        for row in range(i["rows"])
    ]


def _check_burst(bench: Testbench, address: int, beats: int) -> None:
    """The rules of a burst: beats aligned, not longer than allowed, within 4 KiB."""
    size = bench.config.beat_bytes
    assert address % size == 0, f"burst at {address:#x} is not aligned to {size} bytes"
    assert beats <= bench.config.max_burst, f"burst of {beats} beats"
    assert address // 4096 == (address + beats * size - 1) // 4096, f"burst of {beats} beats at {address:#x} crosses 4 KiB"


class BurstReader:
    """Answers the bursts of one reading unit in order, in random cycles, with bytes of `memory` (addresses wrap).

    faults: probability that a beat is answered with an error. `errors_sent` counts those, `errors_seen` the unit's pulses.
    """

    def __init__(self, bench: Testbench, memory: Bytes, *, chance: float, faults: float = 0.0) -> None:
        self._bench = bench
        self._memory = memory
        self._faults = faults
        self._requests = read_request_layout(bench.config)
        self._beats = read_data_layout(bench.config)
        self._ar = StreamSink(bench, "ar", chance, self._request)
        self._r = StreamSource(bench, "r", chance, self._taken)
        self.errors_sent = 0
        self.errors_seen = 0
        self.beats_taken = 0

    def drive(self) -> None:
        self._ar.drive()
        self._r.drive()

    def sample(self) -> None:
        self._ar.sample()
        self._r.sample()
        self.errors_seen += int(self._bench.dut.error.value)

    @property
    def quiet(self) -> bool:
        """No beat is left to deliver."""
        return not self._r.queue

    def _request(self, payload: int) -> None:
        request = self._requests.from_bits(payload)
        beats, size = request.beats + 1, self._bench.config.beat_bytes
        _check_burst(self._bench, request.address, beats)
        for n in range(beats):
            data = self._memory[(request.address + n * size + np.arange(size)) % self._memory.size]
            values = {"data": to_int(data), "last": n == beats - 1, "error": self._bench.chance(self._faults)}
            self._r.queue.append(self._beats.const(values).as_bits())

    def _taken(self, payload: int) -> None:
        self.beats_taken += 1
        self.errors_sent += self._beats.from_bits(payload).error


class BurstWriter:
    """Takes the bursts of the store unit in random cycles, writes their beats into `memory`, and answers each burst in order.

    Data may come before their address is taken. Checks WLAST and that no byte is written outside the strobes' burst.
    """

    def __init__(self, bench: Testbench, memory: Bytes, *, chance: float, faults: float = 0.0) -> None:
        self._bench = bench
        self._memory = memory
        self._faults = faults
        self._requests = read_request_layout(bench.config)
        self._layout = write_data_layout(bench.config)
        self._bursts: deque[tuple[int, int]] = deque()  # (address, beats) whose data are not complete
        self._data: deque[int] = deque()
        self._aw = StreamSink(bench, "aw", chance, self._request)
        self._w = StreamSink(bench, "w", chance, self._data.append)
        self._b = StreamSource(bench, "b", chance, self._answered)
        self._beat = 0
        self.errors_sent = 0
        self.errors_seen = 0

    def drive(self) -> None:
        for part in (self._aw, self._w, self._b):
            part.drive()

    def sample(self) -> None:
        for part in (self._b, self._aw, self._w):
            part.sample()
        self.errors_seen += int(self._bench.dut.error.value)
        while self._bursts and self._data:
            self._write(self._layout.from_bits(self._data.popleft()))

    @property
    def quiet(self) -> bool:
        """Every burst has its data and its response."""
        return not (self._bursts or self._data or self._b.queue)

    def _request(self, payload: int) -> None:
        request = self._requests.from_bits(payload)
        _check_burst(self._bench, request.address, request.beats + 1)
        self._bursts.append((request.address, request.beats + 1))

    def _write(self, word: Any) -> None:
        address, beats = self._bursts[0]
        size = self._bench.config.beat_bytes
        data = to_bytes(word.data, size)
        for n in range(size):
            if word.strobe >> n & 1:
                self._memory[(address + self._beat * size + n) % self._memory.size] = data[n]
        self._beat += 1
        assert word.last == (self._beat == beats), f"WLAST is {word.last} on beat {self._beat} of {beats}"
        if word.last:
            self._bursts.popleft()
            self._beat = 0
            self._b.queue.append(self._bench.chance(self._faults))

    def _answered(self, error: int) -> None:
        self.errors_sent += error
