"""Activation memory: every byte against an array, every grant against the cycle model, with random unaligned traffic on all ports."""

import random
from collections import Counter

import numpy as np
import pytest
from amaranth.sim import Simulator

from talos.config import PRESETS
from talos.latency import ACT_READ, ACT_WRITE
from talos.model.timing import activation as model
from talos.rtl.activation import ActivationMemory

BASE = PRESETS["4x4"].replace(activation_bytes=1024)
CONFIGS = {
    "all equal, 4 banks": BASE,
    "narrow columns, wide beat, 2 banks": BASE.replace(rows=8, axi_data_width=128, activation_banks=2),
    "wide columns, 1 bank": BASE.replace(cols=16, rows=8, activation_banks=1, accumulator_depth=64),
    "no depthwise": BASE.replace(cols=16, depthwise=False),
    "16 banks": BASE.replace(rows=8, activation_banks=16, activation_bytes=4096),
}


class Traffic:
    """Addresses near each other, so that ports meet, and sequences that walk over bank boundaries."""

    def __init__(self, rng, size):
        self.rng = rng
        self.size = size
        self.centre = 0

    def address(self):
        if self.rng.random() < 0.1:
            self.centre = self.rng.choice([0, self.size // 4, self.size // 2, self.size - 8, self.rng.randrange(self.size)])
        return (self.centre + self.rng.randrange(-40, 40)) % (1 << 22)


def needs(config, address, width):
    """Sub-banks of an access, from the definition: each line it touches lies in one (bank, parity). If it goes on from an odd line
    in the last eighth of a bank, the even halves of this bank and of the next one count."""
    lines = config.activation_bytes // config.line_bytes
    per_bank = lines // config.activation_banks
    touched = {(address + i) // config.line_bytes % lines for i in range(width)}
    wanted = {(line // per_bank, line % 2) for line in touched}
    bank, line = divmod(address // config.line_bytes % lines, per_bank)
    rows = per_bank // 2
    if len(touched) == 2 and line % 2 and line // 2 >= rows - max(1, rows // 8):
        wanted |= {(bank, 0), ((bank + 1) % config.activation_banks, 0)}
    return wanted


@pytest.mark.parametrize("name", CONFIGS)
def test_bytes_and_grants(name):
    config = CONFIGS[name]
    rng = random.Random(name)
    size = config.activation_bytes
    dut = ActivationMemory(config)
    arbiter = model.activation_state(config)
    reads = [(dut.matrix_read, config.matrix_bytes), (dut.vector_read, config.cols), (dut.store_read, config.beat_bytes)]
    writes = [(dut.vector_write, config.cols), (dut.load_write, config.beat_bytes)]
    traffic = [Traffic(rng, size) for _ in range(5)]
    content = np.zeros(size, np.uint8)  # as a read granted in this cycle sees it
    under_way = []  # (cycle from which it is seen, addresses, bytes)
    expected = {}  # (cycle, port) → bytes
    seen = Counter()

    async def bench(ctx):
        for cycle in range(800):
            asked = [t.address() if rng.random() < 0.7 else -1 for t in traffic]
            for (port, _), address in zip(reads, asked[:3], strict=True):
                ctx.set(port.valid, address >= 0)
                ctx.set(port.address, max(address, 0))
            sent = []
            for (port, width), address in zip(writes, asked[3:], strict=True):
                count = rng.choice([width, rng.randint(0, width)])
                data = rng.randbytes(width)
                ctx.set(port.valid, address >= 0)
                ctx.set(port.address, max(address, 0))
                ctx.set(port.count, count)
                ctx.set(port.data, int.from_bytes(data, "little"))
                sent.append((count, data))

            while under_way and under_way[0][0] <= cycle:
                _, where, data = under_way.pop(0)
                content[where] = data

            taken = set()
            read_grants = []
            for i, ((port, width), address) in enumerate(zip(reads, asked[:3], strict=True)):
                grant = ctx.get(port.grant)
                read_grants.append(grant)
                if address < 0:
                    continue
                wanted = needs(config, address, width)
                assert grant == (not wanted & taken), f"read port {i} at {address}"
                seen["read", i, grant] += 1
                taken |= wanted  # granted or not, a request goes before those of lower priority
                if grant:
                    expected[cycle + ACT_READ, i] = bytes(content[(address + np.arange(width)) % size])
            granted = model.activation_read_grants(arbiter, *asked[:3])
            assert asked[1] < 0 or granted & 1 == read_grants[1]
            assert asked[2] < 0 or granted >> 1 == read_grants[2]

            taken = set()
            for i, ((port, width), address, (count, data)) in enumerate(zip(writes, asked[3:], sent, strict=True)):
                if address < 0:
                    continue
                grant = ctx.get(port.grant)
                wanted = needs(config, address, width)
                assert grant == (not wanted & taken), f"write port {i} at {address}"
                seen["write", i, grant] += 1
                if grant:
                    taken |= wanted
                    under_way.append((cycle + ACT_WRITE, (address + np.arange(count)) % size, list(data[:count])))
                if i == 1:
                    assert model.activation_load_grant(arbiter, *asked[3:]) == grant

            for i, (port, width) in enumerate(reads):
                if (cycle, i) in expected:
                    assert ctx.get(port.data).to_bytes(width, "little") == expected.pop((cycle, i)), (
                        f"read port {i}, cycle {cycle}"
                    )
            await ctx.tick()

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    assert not seen["read", 0, 0] and not seen["write", 0, 0]
    for key in [("read", 1, 0), ("read", 2, 0), ("write", 1, 0), ("read", 0, 1), ("read", 1, 1), ("read", 2, 1), ("write", 1, 1)]:
        assert seen[key] > 10, f"the traffic never produced {key}"
