"""Cells of a netlist counted by module."""

import pytest

from talos.synth.devices import DEVICES
from talos.synth.resources import (
    HARNESS,
    Hierarchy,
    NetlistCell,
    Resources,
    count_cells,
    group,
    mark_modules,
    netlist_cells,
    shortages,
    total,
)

MODULES = ("talos", "talos.fetch", "talos.matrix", "talos.matrix.array", "talos.matrix.array.pe_0_0", "talos.matrix.array.pe_0_1")
NETLIST = r"""
module \harness
  wire width 4 \core.fetch.x
  cell $scopeinfo \core.fetch
  cell \LUT4 \core.fetch.state_LUT4_A
    parameter \INIT 16'1
    connect \A \core.fetch.x [0]
  end
  cell \CCU2C \core.matrix.array.pe_0_0.sum_CCU2C_S0
  cell \TRELLIS_FF \core.matrix.array.pe_0_0.sum_TRELLIS_FF_Q
  attribute \src "module:talos.matrix.array.pe_0_1|/share/lattice/cells_map_trellis.v:16.100-16.154"
  attribute \module_not_derived 1
  cell \TRELLIS_FF \core.matrix.sum_TRELLIS_FF_Q
  cell \MULT18X18D \core.matrix.array.pe_0_1.y_MULT18X18D_P0
  cell \TRELLIS_DPR16X4 \core.matrix.memory.0.1
  cell \DP16KD \core.memory.0.0
  cell \PFUMX \core.fetch.state_PFUMX_Z
  attribute \src "harness.v:7.3-14.6"
  wire \x
  cell \TRELLIS_FF \core.memory_TRELLIS_FF_Q
  attribute \src "harness.v:7.3-14.6|/share/lattice/cells_map_trellis.v:16.100-16.154"
  cell \TRELLIS_FF \core.fetch.shift_in_TRELLIS_FF_Q
  cell \TRELLIS_FF \shift_in_TRELLIS_FF_Q
end
"""


@pytest.fixture
def modules():
    return count_cells(netlist_cells(NETLIST.splitlines()), DEVICES["ecp5-25k"].family, Hierarchy(MODULES, "talos"))


def test_cells_count_to_their_module(modules):
    assert modules == {
        "fetch": Resources(lut=1),
        "matrix": Resources(lut=6),
        "matrix.array.pe_0_0": Resources(lut=2, ff=1),
        "matrix.array.pe_0_1": Resources(ff=1, dsp=1),
        "talos": Resources(ff=1, bram=1),
        HARNESS: Resources(ff=2),
    }
    assert total(modules) == Resources(lut=9, ff=3, dsp=1, bram=1)


def test_a_signal_that_is_called_like_a_module_elsewhere_is_not_one():
    hierarchy = Hierarchy(MODULES, "talos")
    assert hierarchy.component("core.fetch.array_LUT4_Z") == "fetch"
    assert hierarchy.component("core.fetch_LUT4_Z") == "talos"
    assert hierarchy.component("matrix.array_LUT4_Z") == HARNESS
    assert Hierarchy(MODULES, "talos.matrix").component("core.array.pe_0_0.x") == "array.pe_0_0"
    assert Hierarchy(MODULES, "talos.matrix").component("core.x") == "matrix"


def test_marks_go_to_cells_and_not_to_instances():
    text = "module \\a.b\n  wire \\x\n  cell $add $1\n  end\n  cell \\DSP \\d\n  end\nend\n\nmodule \\a\n  process $2\n  end\n  cell \\a.b \\b\n  end\nend\n"
    marked = mark_modules(text).splitlines()
    before = {marked[i + 1].strip(): line.strip() for i, line in enumerate(marked) if "attribute" in line}
    assert before == {
        "cell $add $1": 'attribute \\src "module:a.b"',
        "cell \\DSP \\d": 'attribute \\src "module:a.b"',
        "process $2": 'attribute \\src "module:a"',
    }
    assert [line for line in marked if "attribute" not in line] == text.splitlines()


def test_rows_partition_the_core(modules):
    assert group(modules, 1) == {"fetch": Resources(lut=1), "matrix": Resources(8, 2, 1), "talos": Resources(ff=1, bram=1)}
    assert group(modules, 2)["matrix.array"] == Resources(2, 2, 1)
    assert group(modules, 3)["matrix.array.pe"] == Resources(2, 2, 1)
    for depth in (1, 2, 3, 9):
        assert total(group(modules, depth)) == total(modules)


@pytest.mark.parametrize(
    ("device", "kind", "expected"),
    [
        ("xc7", "RAMB18E1", Resources(bram=0.5)),
        ("xc7", "LUT6", Resources(lut=1)),
        ("xc7", "LUT6_2X", None),
        ("xc7", "RAM64M", Resources(lut=4)),
        ("ice40-up5k", "SB_DFFESR", Resources(ff=1)),
        ("ice40-up5k", "SB_CARRY", None),
        ("gowin-gw2a-18", "MULT9X9", Resources(dsp=0.5)),
        ("gowin-gw2a-18", "SPX9", Resources(bram=1)),
    ],
)
def test_cell_types(device, kind, expected):
    counted = count_cells([NetlistCell(kind, "core.x")], DEVICES[device].family, Hierarchy(MODULES, "talos"))
    assert counted == ({} if expected is None else {"talos": expected})


def test_whole_numbers_stay_whole():
    assert Resources(lut=3.0, bram=67.5).to_json() == {"lut": 3, "ff": 0, "dsp": 0, "bram": 67.5}


def test_shortages_name_the_resource_and_the_harness_has_to_fit():
    device = DEVICES["ecp5-25k"]
    fits = {"talos": Resources(lut=24_288, dsp=28)}
    assert shortages(fits, device) == []
    assert shortages(fits | {HARNESS: Resources(lut=1)}, device) == ["24,289 LUT of 24,288"]
    assert shortages({"talos": Resources(dsp=96, bram=130)}, device) == ["96 DSP of 28", "130 block RAM of 56"]
    assert shortages({"talos": Resources(dsp=10**6)}, DEVICES["xc7"]) == []
