"""Activation memory: grants, bytes and latencies of all five ports at once."""

from typing import Any

import cocotb
import numpy as np

from sim.bench import Testbench
from sim.parts import Bytes, to_int
from talos.config import AcceleratorConfig
from talos.latency import ACT_READ, ACT_WRITE

READS = ("matrix_read", "vector_read", "store_read")  # in the order of priority
WRITES = ("vector_write", "load_write")


class Model:
    """The contract: what an access needs, who is granted, and when a write is seen."""

    def __init__(self, config: AcceleratorConfig) -> None:
        self.memory: Bytes = np.zeros(config.activation_bytes, np.uint8)
        self._line = config.line_bytes
        self._lines = config.activation_bytes // config.line_bytes
        self._per_bank = self._lines // config.activation_banks

    def needs(self, address: int, width: int) -> set[tuple[int, int]]:
        """(bank, parity) of the first line, and of the next if an access of `width` bytes reaches it.

        One that goes on from an odd line in the last eighth of a bank counts as needing the even lines of this bank and of the next.
        """
        first, last = address // self._line, (address + width - 1) // self._line
        needs = {(line % self._lines // self._per_bank, line % 2) for line in (first, last)}
        bank, line = divmod(first % self._lines, self._per_bank)
        if first != last and line % 2 and line // 2 >= self._per_bank // 2 * 7 // 8:
            needs |= {(bank, 0), ((bank + 1) % (self._lines // self._per_bank), 0)}
        return needs

    def grants(self, requests: list[tuple[bool, int, int]]) -> list[bool]:
        """Of (valid, address, width) in the order of priority. A request goes before those after it, granted or not."""
        taken: set[tuple[int, int]] = set()
        answers = []
        for valid, address, width in requests:
            needs = self.needs(address, width)
            answers.append(not needs & taken)
            if valid:
                taken |= needs
        return answers

    def read(self, address: int, width: int) -> int:
        return to_int(self.memory[(address + np.arange(width)) % self.memory.size])

    def write(self, address: int, data: Bytes) -> None:
        self.memory[(address + np.arange(data.size)) % self.memory.size] = data


class AllPorts:
    """Random requests on every port, and the checker of grants and data.

    near: every address is taken from so many bytes, so that ports meet often.
    """

    def __init__(self, bench: Testbench, load: float, near: int) -> None:
        self._bench, self._load, self._near = bench, load, near
        self._model = Model(bench.config)
        self._requests: dict[str, tuple[bool, int, int]] = {}
        self._data: dict[str, Bytes] = {}
        self._expected: dict[tuple[int, str], int] = {}
        self._writes: dict[int, list[tuple[int, Bytes]]] = {}
        self._base = 0
        self.compared = 0
        self.refused = 0

    def _port(self, name: str, member: str) -> Any:
        return getattr(self._bench.dut, f"{name}__{member}")

    async def fill(self) -> None:
        """Write random bytes everywhere: a reset does not clear the memory."""
        for name in (*READS, *WRITES):
            self._port(name, "valid").value = 0
        width = len(self._port("load_write", "data")) // 8
        for address in range(0, self._model.memory.size, width):
            data = self._bench.rng.integers(0, 256, width).astype(np.uint8)
            self._model.write(address, data)
            values = {"valid": 1, "address": address, "count": width, "data": to_int(data)}
            await self._bench.step({f"load_write__{member}": value for member, value in values.items()})

    def drive(self) -> None:
        bench = self._bench
        if bench.chance(0.02):
            self._base = bench.random.randrange(1 << 22)
        for name in (*READS, *WRITES):
            valid, address = bench.chance(self._load), (self._base + bench.random.randrange(self._near)) % (1 << 22)
            width = len(self._port(name, "data")) // 8
            self._port(name, "valid").value = valid
            self._port(name, "address").value = address
            self._requests[name] = valid, address, width
            if name in WRITES:
                data = bench.rng.integers(0, 256, width).astype(np.uint8)
                count = bench.random.randrange(width + 1)
                self._port(name, "data").value = to_int(data)
                self._port(name, "count").value = count
                self._data[name] = data[:count]

    def sample(self) -> None:
        cycle = self._bench.cycle
        for address, data in self._writes.pop(cycle, []):
            self._model.write(address, data)
        for group in (READS, WRITES):
            for name, granted in zip(group, self._model.grants([self._requests[name] for name in group]), strict=True):
                valid, address, width = self._requests[name]
                assert bool(int(self._port(name, "grant").value)) == granted, f"cycle {cycle}: grant of {name}"
                self.refused += valid and not granted
                if valid and granted and name in WRITES:
                    self._writes.setdefault(cycle + ACT_WRITE, []).append((address, self._data[name]))
                elif valid and granted:
                    self._expected[cycle + ACT_READ, name] = self._model.read(address, width)
        for name in READS:
            expected = self._expected.pop((cycle, name), None)
            if expected is not None:
                seen = int(self._port(name, "data").value)
                assert seen == expected, f"cycle {cycle}: {name} {seen:#x}, expected {expected:#x}"
                self.compared += 1


async def _traffic(dut: Any, name: str, load: float, near: int) -> AllPorts:
    bench = Testbench(dut, name)
    ports = AllPorts(bench, load, near)
    await bench.start()
    await ports.fill()
    bench.add(ports)
    for _ in range(3000):
        await bench.step()
    return ports


@cocotb.test()
async def ports_meet(dut: Any) -> None:
    """Few addresses: reads follow writes closely, requests are often refused."""
    ports = await _traffic(dut, "meet", 0.8, 40)
    assert ports.refused > 1000 and ports.compared > 1500


@cocotb.test()
async def all_addresses(dut: Any) -> None:
    """The whole memory and beyond its end: banks, wrapping, ignored upper bits."""
    ports = await _traffic(dut, "all", 0.6, 4096)
    assert ports.compared > 3000
