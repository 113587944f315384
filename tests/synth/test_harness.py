"""Modules and ports out of RTLIL, and the pins around them."""

import re

import pytest

from talos.errors import TalosError
from talos.synth.harness import Port, find_module, harness_verilog, module_names, module_ports

RTLIL = r"""
module \talos.unit.part
  wire width 1 input 0  \clk
  wire width 1 output 1  \busy
  wire width 4 \inner
end

module \talos.unit
  wire width 8 input 0  \data
  wire width 1 input 1  \clk
  wire width 1 input 2  \rst
  wire width 9 output 3 signed \sum
  cell \talos.unit.part \part
  end
end

module \talos
  wire width 3 input 0  \a
end
"""


def test_modules_and_ports():
    assert module_names(RTLIL) == ["talos.unit.part", "talos.unit", "talos"]
    assert module_ports(RTLIL, "talos.unit") == [
        *(Port("data", 8, False), Port("clk", 1, False), Port("rst", 1, False), Port("sum", 9, True)),
    ]
    assert module_ports(RTLIL, "talos.unit.part") == [Port("clk", 1, False), Port("busy", 1, True)]


@pytest.mark.parametrize(
    ("path", "expected"),
    [(None, "talos"), ("unit", "talos.unit"), ("unit.part", "talos.unit.part")],
)
def test_find_module(path, expected):
    assert find_module(RTLIL, "talos", path) == expected


@pytest.mark.parametrize(
    ("path", "there"),
    [("units", "there is unit"), ("unit.parts", "there is unit.part"), ("unit.part.x.y", "nothing below unit.part")],
)
def test_unknown_module(path, there):
    with pytest.raises(TalosError, match=f"--module {re.escape(path)}: .*{re.escape(there)}$"):
        find_module(RTLIL, "talos", path)


def test_every_port_bit_is_connected_once():
    ports = [Port("clk", 1, False), Port("a", 3, False), Port("y", 5, True), Port("b", 2, False), Port("z", 1, True)]
    text = harness_verilog("talos.unit", ports)
    assert "\\talos.unit core (" in text
    assert ".clk(clk)" in text and ".rst(rst)" not in text
    assert ".\\a (shift_in[2:0])" in text and ".\\b (shift_in[4:3])" in text and "reg [4:0] shift_in;" in text
    assert ".\\y (out[4:0])" in text and ".\\z (out[5:5])" in text and "wire [5:0] out;" in text
