"""The memory behind the core: cocotbext-axi's AXI RAM, which pauses and fails on request, and a monitor of the bus's rules."""

import logging
import random
from collections.abc import Iterator
from typing import Any

from cocotbext.axi import AxiBus, AxiRamRead, AxiRamWrite, AxiResp
from cocotbext.axi.sparse_memory import SparseMemory

from sim.bench import Testbench

__all__ = ["AxiRules", "FaultyMemory", "coin"]


class _Reads(AxiRamRead):
    """Answers beats in `faults` with `response`."""

    faults = range(0)
    response = AxiResp.SLVERR

    async def _read(self, address: int, length: int) -> Any:
        if address in self.faults or address + length - 1 in self.faults:
            raise ValueError("a fault was asked for")  # AxiSlaveRead answers with SLVERR
        return await super()._read(address, length)


class _Writes(AxiRamWrite):
    """Answers bursts that write into `faults` with `response`."""

    faults = range(0)
    response = AxiResp.SLVERR
    bytes_written = 0

    async def _write(self, address: int, data: bytes) -> None:
        if address in self.faults or address + len(data) - 1 in self.faults:
            raise ValueError("a fault was asked for")  # AxiSlaveWrite answers with SLVERR
        self.bytes_written += len(data)
        await super()._write(address, data)


def _replace_response(interface: Any, channel: Any, member: str) -> None:
    """Send the interface's `response` instead of the SLVERR that the library knows."""
    send = channel.send

    async def replaced(transaction: Any) -> None:
        if getattr(transaction, member) != AxiResp.OKAY:
            setattr(transaction, member, interface.response)
        await send(transaction)

    channel.send = replaced


class FaultyMemory:
    """Memory of the core's AXI master. `contents` is read and written as bytes; both directions share it."""

    def __init__(self, bench: Testbench) -> None:
        self._bench = bench
        self.contents = SparseMemory(1 << bench.config.axi_addr_width)
        bus = AxiBus.from_prefix(bench.dut, "m_axi")
        for logger in ("m_axi", f"{bench.dut._name}.m_axi"):
            logging.getLogger(f"cocotb.{logger}").setLevel(logging.ERROR)  # it tells every burst
        self._reads = _Reads(bus.read, bench.dut.clk, mem=self.contents)
        self._writes = _Writes(bus.write, bench.dut.clk, mem=self.contents)
        _replace_response(self._reads, self._reads.r_channel, "rresp")
        _replace_response(self._writes, self._writes.b_channel, "bresp")

    def pause(self, probability: float) -> None:
        """From now on each of the five channels pauses in a cycle with this probability."""
        for interface, names in ((self._reads, ("ar", "r")), (self._writes, ("aw", "w", "b"))):
            for name in names:
                pauses = coin(self._bench.random.getrandbits(32), probability)
                getattr(interface, f"{name}_channel").set_pause_generator(pauses)

    def fail(self, *, reads: range = range(0), writes: range = range(0), response: AxiResp = AxiResp.SLVERR) -> None:
        """From now on accesses to these addresses are answered with `response`; without arguments nothing fails any more."""
        self._reads.faults, self._writes.faults = reads, writes
        self._reads.response = self._writes.response = response

    @property
    def bytes_written(self) -> int:
        """By the core, since the beginning."""
        return self._writes.bytes_written


def coin(seed: int, probability: float) -> Iterator[bool]:
    """For a channel's pause generator: True with `probability`, in each cycle anew."""
    generator = random.Random(seed)
    while True:
        yield generator.random() < probability


class AxiRules:
    """Monitor of the core's AXI master.

    What is offered stays until it is accepted; bursts are whole beats, INCR, within 4 KiB and not longer than allowed; W has the beats
    that AW promised and not one before it; every response belongs to a burst. `quiet`: nothing is under way.
    """

    def __init__(self, bench: Testbench) -> None:
        self._bench = bench
        self._held: dict[str, tuple[int, ...] | None] = dict.fromkeys(("ar", "aw", "w"))
        self._reads: dict[int, list[int]] = {0: [], 1: [], 2: []}  # by id: beats left of each burst
        self._writes: list[int] = []  # beats left of each burst
        self._answers = 0  # bursts complete and not answered
        self.quiet = True

    def _port(self, name: str) -> int:
        return int(getattr(self._bench.dut, f"m_axi_{name}").value)

    def drive(self) -> None:
        pass

    def sample(self) -> None:
        for channel in ("ar", "aw"):
            if self._transfers(channel, "addr", "len", "id", "size", "burst"):
                beats = self._check_address(channel)
                (self._reads[self._port("arid")] if channel == "ar" else self._writes).append(beats)
        if self._transfers("w", "data", "strb", "last"):
            assert self._writes, self._at("write data without an address")
            self._writes[0] -= 1
            assert self._port("wlast") == (self._writes[0] == 0), self._at("WLAST is not the burst's last beat")
            if self._writes[0] == 0:
                self._writes.pop(0)
                self._answers += 1
        if self._port("rvalid") and self._port("rready"):
            bursts = self._reads[self._port("rid")]
            bursts[0] -= 1
            if self._port("rlast"):
                assert bursts.pop(0) == 0, self._at("RLAST")
        if self._port("bvalid") and self._port("bready"):
            self._answers -= 1
            assert self._answers >= 0, self._at("a response without a burst")
        offered = any(self._port(f"{channel}valid") for channel in self._held)
        self.quiet = not (offered or any(self._reads.values()) or self._writes or self._answers)

    def _transfers(self, channel: str, *members: str) -> bool:
        """The channel's offer is accepted in this cycle; checks that it is the one of the cycle before, if that was not."""
        valid = self._port(f"{channel}valid")
        offer = tuple(self._port(f"{channel}{member}") for member in members) if valid else None
        assert self._held[channel] in (None, offer), self._at(f"{channel} changed before it was accepted")
        accepted = bool(valid and self._port(f"{channel}ready"))
        self._held[channel] = None if accepted else offer
        return accepted

    def _check_address(self, channel: str) -> int:
        config = self._bench.config
        address, beats = self._port(f"{channel}addr"), self._port(f"{channel}len") + 1
        assert 1 << self._port(f"{channel}size") == config.beat_bytes, self._at(f"{channel}: not whole beats")
        assert self._port(f"{channel}burst") == 1, self._at(f"{channel}: not INCR")
        assert beats <= config.max_burst, self._at(f"{channel}: {beats} beats")
        assert address // 4096 == (address + beats * config.beat_bytes - 1) // 4096, self._at(f"{channel} crosses 4 KiB")
        return beats

    def _at(self, what: str) -> str:
        return f"cycle {self._bench.cycle}: {what}"
