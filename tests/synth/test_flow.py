"""A small design through the real Yosys and nextpnr, and what the cache keeps."""

import pytest
from amaranth.hdl import Module, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from talos.config import PRESETS
from talos.errors import TalosError
from talos.rtl.verilog import to_rtlil
from talos.synth import flow
from talos.synth.devices import DEVICES
from talos.synth.resources import HARNESS
from talos.yowasp import YOSYS, Tool, run_tool, tool_version


class Product(wiring.Component):
    a: In(signed(16))
    b: In(signed(16))
    y: Out(signed(32))

    def elaborate(self, platform):
        m = Module()
        m.d.sync += self.y.eq(self.a * self.b)
        return m


class Core(wiring.Component):
    """A multiplier in one module, a counter in another that says when to hold its result."""

    a: In(signed(16))
    b: In(signed(16))
    y: Out(signed(32))

    def elaborate(self, platform):
        m = Module()
        m.submodules.product = product = Product()
        m.submodules.counter = counter = Counter()
        m.d.comb += [product.a.eq(self.a), product.b.eq(self.b)]
        with m.If(counter.tick):
            m.d.sync += self.y.eq(product.y)
        return m


class Counter(wiring.Component):
    tick: Out(1)

    def elaborate(self, platform):
        m = Module()
        count = wiring.Signature({"count": Out(5)}).create().count
        m.d.sync += count.eq(count + 1)
        m.d.comb += self.tick.eq(count == 17)
        return m


@pytest.fixture
def small(monkeypatch, tmp_path):
    """The flow, with the small design in place of the core and an empty cache."""
    rtlil = to_rtlil(Core(), "talos")
    monkeypatch.setattr(flow, "cached_rtlil", lambda config: rtlil)
    monkeypatch.setenv("TALOS_CACHE", str(tmp_path))
    return PRESETS["4x4"]


def test_area_and_clock(small, monkeypatch):
    stages = []
    device = DEVICES["ice40-up5k"]
    result = flow.synthesize(small, device, seeds=2, jobs=2, progress=lambda stage, done, total: stages.append(stage))
    assert set(result.modules) == {"talos", "product", "counter", HARNESS}
    assert result.total.dsp == result.modules["product"].dsp == 1
    assert result.modules["counter"].ff == 5
    assert result.modules["talos"].ff == 32  # y
    assert result.modules[HARNESS].ff == 32 + 32 + 32 + 2  # inputs, captured and shifted outputs, rst and dout
    assert [placement.seed for placement in result.placements] == [1, 2]
    assert result.best.fmax_mhz == max(placement.fmax_mhz for placement in result.placements) > 10
    assert {step.component for step in result.best.critical_path.steps} <= set(result.modules)
    assert any("synthesizing" in stage for stage in stages) and any("placing" in stage for stage in stages)

    def never(*arguments):
        raise AssertionError("not out of the cache")

    monkeypatch.setattr(flow, "synthesize_netlist", never)
    monkeypatch.setattr(flow, "place", never)
    assert flow.synthesize(small, device, seeds=2) == result


def test_module_alone_and_too_small(small):
    result = flow.synthesize(small, DEVICES["ice40-hx8k"], seeds=1, module="product")
    assert set(result.modules) == {"product", HARNESS}
    assert result.total.dsp == 0 and result.total.lut > 100  # no multiplier there
    assert result.placements and not result.missing
    tiny = DEVICES["ice40-hx8k"].__class__("tiny", DEVICES["ice40-hx8k"].family, "", capacity=(("lut", 50),))
    result = flow.synthesize(small, tiny, module="product")
    assert result.best is None and result.missing == [f"{result.modules[HARNESS].lut + result.total.lut:,g} LUT of 50"]


def test_same_text_of_the_tool_and_its_failure(tmp_path):
    assert run_tool(YOSYS, ["-V"], tmp_path).startswith(f"Yosys {'.'.join(tool_version(YOSYS).split('.')[:2])} ")
    with pytest.raises(TalosError, match=r"yosys failed .*ERROR: No such command: nonsense"):
        run_tool(YOSYS, ["-p", "nonsense"], tmp_path)


def test_missing_package(tmp_path):
    absent = Tool("yowasp-no-such-tool", "tool", "synth")
    with pytest.raises(TalosError, match=r"needs the package 'yowasp-no-such-tool'; .*talos-accelerator\[synth\]"):
        run_tool(absent, [], tmp_path)
