"""A memory behind the core's AXI4 master with the timing that the expected cycles were computed for.

The first beat of a read comes `latency` cycles after its address, the response of a write `latency` cycles after its last beat. Each
direction moves one beat per cycle and has at most `outstanding` bursts under way, which are answered in order.
"""

from collections import deque
from typing import Any

from cocotb.triggers import ReadOnly, RisingEdge

__all__ = ["TimedMemory"]

OKAY, INCR = 0, 1


class TimedMemory:
    """`contents` are the bytes from address 0 on. Start `run` as a task. An access outside, or no whole INCR beats, fails the test."""

    def __init__(self, dut: Any, contents: bytearray, *, beat_bytes: int, latency: int, outstanding: int) -> None:
        self.contents = contents
        self._dut = dut
        self._beat = beat_bytes
        self._latency = latency
        self._outstanding = outstanding
        self._outputs: dict[str, int] = {}

    async def run(self) -> None:
        """Answer for ever."""
        reads: deque[list[int]] = deque()  # address of the next beat, beats left, id, cycle of the first beat
        writes: deque[list[int]] = deque()  # address of the next beat, id
        answers: deque[list[int]] = deque()  # id, cycle
        reading = writing = cycle = 0
        rvalid = rlast = bvalid = False
        arready = awready = wready = False
        while True:
            # What the edge that ends this cycle sees.
            await ReadOnly()
            if rvalid and self._is_high("rready"):
                rvalid = False
                reading -= rlast
            if arready and self._is_high("arvalid"):
                reads.append([self._address("ar"), self._value("arlen") + 1, self._value("arid"), cycle + self._latency])
                reading += 1
            if bvalid and self._is_high("bready"):
                bvalid = False
                writing -= 1
            if awready and self._is_high("awvalid"):
                writes.append([self._address("aw"), self._value("awid")])
                writing += 1
            if wready and self._is_high("wvalid"):
                burst = writes[0]
                self._write(burst)
                if self._is_high("wlast"):
                    answers.append([burst[1], cycle + self._latency])
                    writes.popleft()
            # What the core sees after it.
            await RisingEdge(self._dut.clk)
            if not rvalid and reads and cycle >= reads[0][3]:
                rvalid, rlast = True, self._read(reads[0])
                if rlast:
                    reads.popleft()
            if not bvalid and answers and cycle >= answers[0][1]:
                bvalid = True
                self._drive(bid=answers.popleft()[0], bresp=OKAY)
            arready, awready, wready = reading < self._outstanding, writing < self._outstanding, True
            self._drive(arready=arready, rvalid=rvalid, awready=awready, wready=wready, bvalid=bvalid)
            cycle += 1

    def _read(self, burst: list[int]) -> bool:
        """Put the burst's next beat on R; whether it is the last."""
        data = self.contents[burst[0] : burst[0] + self._beat]
        assert len(data) == self._beat, f"read at {burst[0]:#x}, outside of the memory"
        burst[0] += self._beat
        burst[1] -= 1
        self._drive(rdata=int.from_bytes(data, "little"), rid=burst[2], rresp=OKAY, rlast=burst[1] == 0)
        return burst[1] == 0

    def _write(self, burst: list[int]) -> None:
        """Store the beat on W; the burst's address moves on."""
        data = self._value("wdata").to_bytes(self._beat, "little")
        strobes = self._value("wstrb")
        assert burst[0] + self._beat <= len(self.contents), f"write at {burst[0]:#x}, outside of the memory"
        for lane in range(self._beat):
            if strobes >> lane & 1:
                self.contents[burst[0] + lane] = data[lane]
        burst[0] += self._beat

    def _address(self, channel: str) -> int:
        """Of a burst's first beat."""
        assert self._value(f"{channel}burst") == INCR and 1 << self._value(f"{channel}size") == self._beat, "not whole INCR beats"
        return self._value(f"{channel}addr") & -self._beat

    def _is_high(self, name: str) -> bool:
        return self._value(name) == 1

    def _value(self, name: str) -> int:
        return int(getattr(self._dut, f"m_axi_{name}").value)

    def _drive(self, **values: int) -> None:
        """Set inputs of the core; what does not change costs nothing."""
        for name, value in values.items():
            if self._outputs.get(name) != value:
                self._outputs[name] = value
                getattr(self._dut, f"m_axi_{name}").value = int(value)
