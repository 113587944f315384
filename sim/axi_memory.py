"""The memory behind the core: a cocotbext-axi slave that pauses, reorders and fails on request."""

import logging
import random
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from cocotbext.axi import AxiBus, AxiRamWrite, AxiResp, AxiSlaveRead
from cocotbext.axi.sparse_memory import SparseMemory

from sim.bench import Testbench
from talos.isa import Unit

__all__ = ["FaultyMemory", "coin"]

_READ_AHEAD = 6  # bursts that the slave takes before it has answered the first


@dataclass
class _Faults:
    """Which answers are errors: by address, or the n-th beat (of a unit that reads) or burst (of the store unit)."""

    reads: range = range(0)
    writes: range = range(0)
    nth: tuple[Unit, int] | None = None
    response: AxiResp = AxiResp.SLVERR
    answers: Counter[Unit] = field(default_factory=Counter)

    def answer(self, unit: Unit, wrong: bool) -> AxiResp:
        """The response of the unit's next beat or burst."""
        number = self.answers[unit]
        self.answers[unit] += 1
        return self.response if wrong or self.nth == (unit, number) else AxiResp.OKAY


class _Reads(AxiSlaveRead):
    """Answers in order, or with `shuffle` beat by beat from a randomly chosen id, in order only for each id, as AXI4 allows."""

    def __init__(self, bench: Testbench, bus: Any, contents: SparseMemory, faults: _Faults) -> None:
        self._random = random.Random(bench.random.getrandbits(32))
        self._contents = contents
        self._faults = faults
        self.shuffle = False
        super().__init__(bus, bench.dut.clk, bench.dut.rst)

    async def _process_read(self) -> None:
        bursts: deque[tuple[int, list[int]]] = deque()  # id, addresses of the beats left
        while True:
            while not bursts or (len(bursts) < _READ_AHEAD and not self.ar_channel.empty()):
                request = await self.ar_channel.recv()
                first, step = int(request.araddr), 1 << int(request.arsize)
                bursts.append((int(request.arid), [first + i * step for i in range(int(request.arlen) + 1)]))
            ids = list(dict.fromkeys(number for number, _ in bursts))
            chosen = self._random.choice(ids) if self.shuffle else ids[0]
            index = next(i for i, (number, _) in enumerate(bursts) if number == chosen)
            addresses = bursts[index][1]
            address = addresses.pop(0)
            beat = self.r_channel._transaction_obj()
            beat.rid = chosen
            beat.rlast = not addresses
            beat.rresp = self._faults.answer(Unit(chosen), address in self._faults.reads)
            beat.rdata = int.from_bytes(self._contents.read(address, self.byte_lanes), "little")
            if not addresses:
                del bursts[index]
            await self.r_channel.send(beat)


class _Writes(AxiRamWrite):
    """Answers a burst that writes into `faults.writes`, or whose number is in them, with an error."""

    def __init__(self, bench: Testbench, bus: Any, contents: SparseMemory, faults: _Faults) -> None:
        self._faults = faults
        self.bytes_written = 0
        super().__init__(bus, bench.dut.clk, bench.dut.rst, mem=contents)
        send = self.b_channel.send

        async def replaced(answer: Any) -> None:
            answer.bresp = faults.answer(Unit.STORE, answer.bresp != AxiResp.OKAY)
            await send(answer)

        self.b_channel.send = replaced

    async def _write(self, address: int, data: bytes) -> None:
        if address in self._faults.writes or address + len(data) - 1 in self._faults.writes:
            raise ValueError("a fault was asked for")  # AxiSlaveWrite then answers with SLVERR
        self.bytes_written += len(data)
        await super()._write(address, data)


class FaultyMemory:
    """Memory of the core's AXI master, reset with the core. `contents` is read and written as bytes; both directions share it."""

    def __init__(self, bench: Testbench) -> None:
        self._bench = bench
        self._faults = _Faults()
        self.contents = SparseMemory(1 << bench.config.axi_addr_width)
        bus = AxiBus.from_prefix(bench.dut, "m_axi")
        for logger in ("m_axi", f"{bench.dut._name}.m_axi"):
            logging.getLogger(f"cocotb.{logger}").setLevel(logging.ERROR)  # it tells every burst
        self._reads = _Reads(bench, bus.read, self.contents, self._faults)
        self._writes = _Writes(bench, bus.write, self.contents, self._faults)

    def pause(self, probability: float) -> None:
        """From now on each of the five channels pauses in a cycle with this probability."""
        for interface, names in ((self._reads, ("ar", "r")), (self._writes, ("aw", "w", "b"))):
            for name in names:
                pauses = coin(self._bench.random.getrandbits(32), probability)
                getattr(interface, f"{name}_channel").set_pause_generator(pauses)

    def shuffle(self) -> None:
        """From now on beats of different ids come in any order."""
        self._reads.shuffle = True

    def want_data_first(self) -> None:
        """From now on no address is accepted before its data are offered, as AXI allows a slave. Not for tests with resets."""
        self._writes.aw_channel.set_pause_generator(_until_data(self._bench.dut))

    def fail(self, *, reads: range = range(0), writes: range = range(0), response: AxiResp = AxiResp.SLVERR) -> None:
        """From now on accesses to these addresses are answered with `response`; without arguments nothing fails any more."""
        self._faults.reads, self._faults.writes, self._faults.nth, self._faults.response = reads, writes, None, response

    def fail_nth(self, unit: Unit, number: int, response: AxiResp) -> None:
        """Counts from 0 now: beat `number` that the unit reads, or the response of burst `number` of the store unit, is an error."""
        self.fail(response=response)
        self._faults.nth = (unit, number)
        self._faults.answers.clear()

    @property
    def answers(self) -> Counter[Unit]:
        """Beats read by each unit and bursts written, since the beginning or the latest `fail_nth`."""
        return self._faults.answers

    @property
    def bytes_written(self) -> int:
        """By the core, since the beginning."""
        return self._writes.bytes_written


def coin(seed: int, probability: float) -> Iterator[bool]:
    """For a channel's pause generator: True with `probability`, in each cycle anew."""
    generator = random.Random(seed)
    while True:
        yield generator.random() < probability


def _until_data(dut: Any) -> Iterator[bool]:
    """For the pause generator of AW: True until more bursts were offered on W than on AW accepted."""
    accepted = offered = 0
    between = True  # the next beat offered is a burst's first
    while True:
        if int(dut.m_axi_wvalid.value):
            offered += between
            between = bool(int(dut.m_axi_wready.value) and int(dut.m_axi_wlast.value))
        accepted += int(dut.m_axi_awvalid.value) and int(dut.m_axi_awready.value)
        yield offered <= accepted
