"""The table of configurations and devices."""

import pytest

from benchmarks import synth
from talos.synth.flow import Synthesis
from talos.synth.place import CriticalPath, Placement, Step
from talos.synth.resources import HARNESS, Resources

PATH = CriticalPath("a", "b", 1.0, 3.0, (Step("load", 3, 0.5, 1.0), Step("matrix.array", 2, 0.5, 2.0)))


@pytest.fixture
def known(monkeypatch):
    def synthesize(config, device, *, speed, seeds, jobs=1):
        modules = {"load": Resources(lut=320, ff=1), HARNESS: Resources(lut=9)}
        if config.pool:
            modules["vector.lanes.window"] = Resources(lut=5)
        missing = ["320 LUT of 50"] if device.name == "ecp5-25k" else []
        placements = [Placement(seed, 100.0 + seed, PATH) for seed in range(1, seeds + 1)] if device.name == "ecp5-85k" else []
        return Synthesis(config, device, speed, None, modules, missing, placements)

    monkeypatch.setattr(synth, "synthesize", synthesize)


def test_tables_go_into_the_document(known, tmp_path, capsys):
    page = tmp_path / "page.md"
    page.write_text(f"before\n{synth.BEGIN}old\n{synth.END}after\n")
    cases = ("4x4:ecp5-25k", "4x4:ecp5-85k", "8x8:xc7")
    assert synth.main([*cases, "--seeds", "2", "--options", "--write", str(page)]) == 0
    text = page.read_text()
    assert text.startswith(f"before\n{synth.BEGIN}|") and text.endswith(f"{synth.END}after\n") and "old" not in text
    assert "| `4x4` | ecp5-25k grade 6 | 325 | 1 | 0 | 0 | – | does not fit: 320 LUT of 50 |" in text
    assert "| 102.0 (2 seeds) | `load` → `matrix.array`; 5 cells, 75% routing |" in text
    assert "| `8x8` | xc7 | 325 | 1 | 0 | 0 | – | synthesis only |" in text
    assert text.count("| Talos `4x4`, int8 | 16 | ECP5 | 325 | 20 |") == 1
    assert "| pool | 325 | 1 | 0 | 0 | `vector.lanes.window` |" in text and "| lookup | 320 | 1 | 0 | 0 | – |" in text
    assert capsys.readouterr().out in text


@pytest.mark.parametrize("case", ["5x5:xc7", "4x4", "4x4:ecp6"])
def test_wrong_case(known, case, capsys):
    assert synth.main([case]) == 2
    assert capsys.readouterr().err.startswith("benchmarks.synth: ")
