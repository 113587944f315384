"""The read master: values against a scoreboard, every handshake against the cycle model in every cycle."""

import random
from collections import deque

import pytest
from amaranth.sim import Simulator

from talos.config import PRESETS
from talos.model.timing.axi_read import (
    AXI_READ_ARBEATS,
    AXI_READ_ARID,
    AXI_READ_ARVALID,
    AXI_READ_LAST,
    axi_read_client,
    axi_read_clock,
    axi_read_grant,
    axi_read_ready,
    axi_read_state,
)
from talos.rtl.axi_read import READ_CLIENTS, AxiReadMaster

CONFIG = PRESETS["4x4"].replace(axi_data_width=64, axi_addr_width=40, read_ahead=16)  # so that the limit is met


class Bench:
    """Three clients with random requests, and a bus that answers bursts in order with random beats."""

    def __init__(self, seed, *, request, arready, rvalid, taken):
        self.rng = random.Random(seed)
        self.request, self.arready, self.rvalid, self.taken = request, arready, rvalid, taken
        self.dut = AxiReadMaster(CONFIG)
        self.model = axi_read_state(CONFIG)
        self.offers = [None, None, None]
        self.granted = deque()  # accepted from a client, not yet seen on AR
        self.bus = deque()  # beats the bus owes: (id, data, resp, last)
        self.expected = [deque(), deque(), deque()]
        self.bursts = 0  # accepted from a client, last beat not taken from the bus
        self.grants = [0, 0, 0]
        self.urgent_grants = 0
        self.beats = 0

    def chance(self, probability):
        return self.rng.random() < probability

    def run(self, body):
        sim = Simulator(self.dut)
        sim.add_clock(1e-6)
        sim.add_testbench(body)
        sim.run()

    async def cycle(self, ctx):
        dut, rng, model = self.dut, self.rng, self.model
        for i, name in enumerate(READ_CLIENTS):
            if self.offers[i] is None and self.chance(self.request[i]):
                self.offers[i] = {"address": rng.randrange(1 << 40), "beats": rng.choice([0, 1, 7, rng.randrange(16)])}
            client = getattr(dut, f"{name}_ar")
            ctx.set(client.valid, self.offers[i] is not None)
            ctx.set(client.payload, self.offers[i] or {"address": 0, "beats": 0})
        urgent, arready, rvalid = self.chance(0.3), self.chance(self.arready), bool(self.bus) and self.chance(self.rvalid)
        taken = [self.chance(self.taken) for _ in READ_CLIENTS]
        rid, data, resp, last = self.bus[0] if rvalid else (rng.randrange(4), rng.randrange(1 << 64), 0, rng.randrange(2))
        for signal, value in (
            (dut.weights_urgent, urgent),
            (dut.m_axi_arready, arready),
            (dut.m_axi_rvalid, rvalid),
            (dut.m_axi_rid, rid),
            (dut.m_axi_rdata, data),
            (dut.m_axi_rresp, resp),
            (dut.m_axi_rlast, last),
            *((getattr(dut, f"{name}_r").ready, ready) for name, ready in zip(READ_CLIENTS, taken, strict=True)),
        ):
            ctx.set(signal, value)

        grant = axi_read_grant(model, *(offer is not None for offer in self.offers), urgent)
        ready = [ctx.get(getattr(dut, f"{name}_ar").ready) and self.offers[i] is not None for i, name in enumerate(READ_CLIENTS)]
        assert ready == [grant == i for i in range(3)]
        assert ctx.get(dut.m_axi_arvalid) == model[AXI_READ_ARVALID]
        assert ctx.get(dut.pending) == (self.bursts > 0)
        if model[AXI_READ_ARVALID]:
            client, request = self.granted[0]
            assert ctx.get(dut.m_axi_arid) == client == model[AXI_READ_ARID]
            assert ctx.get(dut.m_axi_araddr) == request["address"]
            assert ctx.get(dut.m_axi_arlen) == request["beats"] == model[AXI_READ_ARBEATS] - 1
            assert (ctx.get(dut.m_axi_arsize), ctx.get(dut.m_axi_arburst)) == (3, 1)
            if arready:
                self.granted.popleft()
                for beat in range(request["beats"] + 1):
                    answer = (client, rng.randrange(1 << 64), rng.choice([0, 0, 2, 3]), int(beat == request["beats"]))
                    self.bus.append(answer)
        assert ctx.get(dut.m_axi_rready) == axi_read_ready(model)
        offered = axi_read_client(model)
        for i, name in enumerate(READ_CLIENTS):
            stream = getattr(dut, f"{name}_r")
            assert ctx.get(stream.valid) == (offered == i)
            if offered == i:
                payload, (data_expected, error, last_expected) = ctx.get(stream.payload), self.expected[i][0]
                assert (payload.data, payload.error, payload.last) == (data_expected, error, last_expected)
                assert last_expected == model[AXI_READ_LAST]
                if taken[i]:
                    self.expected[i].popleft()
                    self.beats += 1
        if rvalid and axi_read_ready(model):
            self.bus.popleft()
            self.expected[rid].append((data, resp >> 1, last))
            self.bursts -= last
        beats = 0
        if grant >= 0:
            beats = self.offers[grant]["beats"] + 1
            self.urgent_grants += grant == 2 and self.offers[1] is not None
            self.granted.append((grant, self.offers[grant]))
            self.offers[grant] = None
            self.grants[grant] += 1
            self.bursts += 1
        axi_read_clock(model, arready, grant, beats, rvalid, rid, last, offered >= 0 and taken[offered])
        await ctx.tick()


@pytest.mark.parametrize(
    ("seed", "request_rate", "arready", "rvalid", "taken"),
    [(1, (0.1, 0.3, 0.3), 0.7, 0.8, 0.7), (2, (0.02, 0.9, 0.9), 1, 1, 0.9), (3, (0.1, 0.1, 0.1), 0.3, 0.4, 0.4)],
)
def test_requests_and_beats_against_the_cycle_model(seed, request_rate, arready, rvalid, taken):
    bench = Bench(seed, request=request_rate, arready=arready, rvalid=rvalid, taken=taken)

    async def body(ctx):
        for _ in range(500):
            await bench.cycle(ctx)

    bench.run(body)
    assert min(bench.grants) > 3 and bench.urgent_grants > 0 and bench.beats > 100


def test_beats_pass_at_one_per_cycle():
    bench = Bench(4, request=(0, 1, 0), arready=1, rvalid=1, taken=1)

    async def body(ctx):
        for _ in range(200):
            await bench.cycle(ctx)

    bench.run(body)
    assert bench.beats >= 196


def test_halt_drains_the_bus_without_the_clients():
    bench = Bench(5, request=(0.2, 0.5, 0.5), arready=0.5, rvalid=0.7, taken=0.3)
    dut = bench.dut

    async def body(ctx):
        for _ in range(60):
            await bench.cycle(ctx)
        assert bench.bursts > 2 and ctx.get(dut.m_axi_arvalid)
        ctx.set(dut.halt, 1)
        left, offered, dropped = bench.bursts, 0, sum(map(len, bench.expected))
        for name in READ_CLIENTS:
            ctx.set(getattr(dut, f"{name}_r").ready, 0)
            ctx.set(getattr(dut, f"{name}_ar").valid, 1)
        ctx.set(dut.m_axi_arready, 0)
        for cycle in range(400):
            rvalid = bool(bench.bus) and bench.chance(0.7)
            ctx.set(dut.m_axi_arready, cycle >= 5)
            ctx.set(dut.m_axi_rvalid, rvalid)
            ctx.set(dut.m_axi_rlast, bench.bus[0][3] if rvalid else 0)
            assert not any(ctx.get(getattr(dut, f"{name}_ar").ready) for name in READ_CLIENTS)
            offered += sum(ctx.get(getattr(dut, f"{name}_r").valid) for name in READ_CLIENTS)
            assert ctx.get(dut.m_axi_arvalid) == (cycle <= 5)  # offered until accepted, and nothing after it
            assert ctx.get(dut.pending) == (left > 0)
            if cycle == 5:
                client, request = bench.granted.popleft()
                bench.bus.extend((client, 0, 0, int(beat == request["beats"])) for beat in range(request["beats"] + 1))
            if rvalid and ctx.get(dut.m_axi_rready):
                left -= bench.bus.popleft()[3]
                dropped += 1
            await ctx.tick()
        assert left == 0 and not ctx.get(dut.pending)
        assert offered == dropped > 10  # each for one cycle

    bench.run(body)


def test_pending_counts_as_many_bursts_as_the_limits_allow():
    dut = AxiReadMaster(CONFIG.replace(read_ahead=1024))
    accepted = 0

    async def body(ctx):
        nonlocal accepted
        ctx.set(dut.m_axi_arready, 1)
        for stream in (dut.load_ar, dut.weights_ar):  # bursts of one beat, which the bus takes and never answers
            ctx.set(stream.valid, 1)
            ctx.set(stream.payload, {"address": 0, "beats": 0})
        for cycle in range(2200):
            accepted += ctx.get(dut.load_ar.ready) + ctx.get(dut.weights_ar.ready)
            await ctx.tick()
            assert ctx.get(dut.pending), f"cycle {cycle}: {accepted} bursts under way"

    sim = Simulator(dut)
    sim.add_clock(1e-6)
    sim.add_testbench(body)
    sim.run()
    assert accepted >= 2048
