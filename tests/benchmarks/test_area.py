"""The fit of the area estimate."""

import pytest

from benchmarks import area
from talos.explore.structure import UNITS, ecp5_brams, ecp5_dsps
from talos.synth.devices import find_device
from talos.synth.flow import Synthesis
from talos.synth.resources import HARNESS, Resources


def made(config, dsp=0):
    """Modules of a core that is exactly linear in its sizes: each term counts as many LUTs as its place, and twice the registers."""
    modules = {}
    for unit, terms in UNITS.items():
        size = sum((place + 1) * term for place, term in enumerate(terms(config)))
        modules[unit if unit != "transfers" else "load"] = Resources(lut=size, ff=2 * size)
    modules["matrix"] += Resources(dsp=ecp5_dsps(config) + dsp, bram=ecp5_brams(config))
    return modules | {HARNESS: Resources(1000, 1000)}


def test_an_exact_core_is_fitted_exactly():
    points = [area.Point(config, area.by_unit(made(config))) for config in area.POINTS]
    for _, fitted, _ in area.errors(points):
        assert fitted == {"lut": pytest.approx(0, abs=2e-4), "ff": pytest.approx(0, abs=2e-4)}
    model = area.fit(points)
    other = area.POINTS[0].replace(rows=16, cols=8, lanes=2, activation_bytes=1 << 17)
    total = area.Point(other, area.by_unit(made(other))).total
    assert model.estimate(other).lut == pytest.approx(total.lut, rel=0.01)
    assert (model.estimate(other).dsp, model.estimate(other).bram) == (total.dsp, total.bram)


@pytest.mark.parametrize(("dsp", "status"), [(0, 0), (1, 1)])
def test_command(monkeypatch, capsys, tmp_path, dsp, status):
    def synthesize(config, device, *, seeds):
        return Synthesis(config, find_device("ecp5-85k")[0], None, None, made(config, dsp))

    monkeypatch.setattr(area, "synthesize", synthesize)
    monkeypatch.setattr(area.talos.explore, "__file__", str(tmp_path / "__init__.py"))
    page = tmp_path / "page.md"
    page.write_text(f"before\n{area.BEGIN}old\n{area.END}after\n")
    monkeypatch.setattr(area, "PAGE", page)
    assert area.main(["--points", "6", "--write"]) == status
    out, err = capsys.readouterr()
    assert out.count("| `") == 6
    if status:
        assert "dsp counted, Yosys made" in err and "old" in page.read_text() and not (tmp_path / area.DATA_FILE).exists()
    else:
        stored = area.json.loads((tmp_path / area.DATA_FILE).read_text())
        assert page.read_text().startswith(f"before\n{area.BEGIN}| configuration") and "old" not in page.read_text()
        assert page.read_text().endswith(f"{area.END}after\n") and "| largest error | | | | | 0.0% |" in page.read_text()
        assert len(stored["points"]) == 6 and set(stored["coefficients"]["lut"]) == set(UNITS)
