"""The area estimate against the synthesized configurations that are kept with it."""

import json
from importlib.resources import files

import pytest

from talos.config import PRESETS, AcceleratorConfig
from talos.errors import TalosError
from talos.explore.area import DATA_FILE, area_model
from talos.explore.structure import UNITS, by_unit
from talos.synth.devices import DEVICES
from talos.synth.resources import HARNESS, Resources

DATA = json.loads((files("talos.explore") / DATA_FILE).read_text())
POINTS = [(AcceleratorConfig.from_json(point["config"]), point["total"]) for point in DATA["points"]]
MODEL = area_model(DEVICES["ecp5-25k"])


@pytest.mark.parametrize(("config", "total"), POINTS, ids=[config.name for config, _ in POINTS])
def test_points(config, total):
    estimate = MODEL.estimate(config)
    assert (estimate.dsp, estimate.bram) == (total["dsp"], total["bram"])
    for kind in ("lut", "ff"):
        assert abs(getattr(estimate, kind) / total[kind] - 1) <= DATA["error"]["fit"][kind]["largest"] + 1e-4


def test_more_of_anything_has_no_less_logic():
    base = PRESETS["8x8"]
    area = MODEL.estimate(base)
    for change in (
        {"rows": 16},
        {"cols": 16},
        {"activation_bytes": 1 << 18},
        {"weight_fifo_bytes": 1 << 16},
        {"axi_data_width": 128},
    ):
        larger = MODEL.estimate(base.replace(**change))
        assert all(getattr(larger, kind) >= getattr(area, kind) for kind in ("lut", "ff", "dsp")), change
    assert MODEL.estimate(base.replace(lanes=2)).dsp < area.dsp


def test_other_families_have_no_estimate():
    with pytest.raises(TalosError, match="for ECP5 only"):
        area_model(DEVICES["xc7"])


def test_every_module_counts_to_one_unit():
    one = Resources(1, 1)
    paths = ("talos", "load_queue", "matrix", "matrix.nest", "matrix.array.pe_0_0", "vector.lanes.lane_1.rounder", "vector.issue")
    units = by_unit({**dict.fromkeys(paths, one), HARNESS: Resources(99)})
    assert {name: unit.lut for name, unit in units.items() if unit.lut} == {
        "transfers": 2, "matrix": 2, "matrix.array": 1, "vector.lanes": 1, "vector": 1,
    }  # fmt: skip
    assert set(units) == set(UNITS)
