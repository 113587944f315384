"""Registers into ECP5's blocks: which ones go, and that the netlist still computes the same in every cycle."""

import copy
import json
import subprocess
from pathlib import Path

import pytest
from amaranth.hdl import Array, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from talos.rtl.multiplier import Multiplier
from talos.rtl.pe import PE
from talos.rtl.verilog import to_rtlil, to_verilog
from talos.synth.collisions import declare_collisions
from talos.synth.pack_registers import pack_registers
from talos.toolchain import find_verilator
from talos.yowasp import YOSYS, run_tool

CLOCK, OTHER_CLOCK = 2, 3
MODELS = Path(__file__).parent / "ecp5_models.v"


def register(data, q, clock=CLOCK, **more):
    parameters = {"CEMUX": "1 ", "CLKMUX": "CLK", "LSRMUX": "LSR", "REGSET": "RESET"}
    connections = {"CLK": [clock], "DI": [data], "LSR": ["0"], "Q": [q]}
    parameters |= {name: value for name, value in more.items() if isinstance(value, str)}
    connections |= {name: value for name, value in more.items() if isinstance(value, list)}
    return cell("TRELLIS_FF", parameters, connections, {"Q"})


def cell(kind, parameters, connections, outputs):
    directions = {name: "output" if name in outputs else "input" for name in connections}
    return {"type": kind, "parameters": parameters, "connections": connections, "port_directions": directions, "attributes": {}}


def multiplier(a, b, p):
    """Operands and product from their low bits; the operands' last bit is their sign."""
    connections = {f"A{i}": [a[min(i, len(a) - 1)]] for i in range(18)} | {f"B{i}": [b[min(i, len(b) - 1)]] for i in range(18)}
    connections |= {f"P{i}": [p[i] if i < len(p) else 9000 + i] for i in range(36)} | {"SIGNEDA": ["1"], "SIGNEDB": ["1"]}
    return cell("MULT18X18D", {}, connections, {f"P{i}" for i in range(36)})


def product(**registers):
    """2 × 2 bits with registers a, b and p around it."""
    cells = {f"a{i}": register(10 + i, 20 + i) for i in range(2)} | {f"b{i}": register(30 + i, 40 + i) for i in range(2)}
    cells |= {"m": multiplier([20, 21], [40, 41], [50, 51, 52])} | {f"p{i}": register(50 + i, 60 + i) for i in range(3)}
    return {"ports": {"y": {"bits": [60, 61, 62]}}, "cells": cells | registers, "netnames": {}}


def test_all_registers_of_a_multiplier_go():
    netlist = product()
    assert pack_registers(netlist) == {"a0", "a1", "b0", "b1", "p0", "p1", "p2"}
    assert list(netlist["cells"]) == ["m"]
    block = netlist["cells"]["m"]
    assert block["parameters"] == {f"REG_{place}_CLK": "CLK0" for place in ("INPUTA", "INPUTB", "OUTPUT")}
    wires = {name: bits[0] for name, bits in block["connections"].items()}
    assert (wires["A0"], wires["A1"], wires["A17"], wires["B0"], wires["B9"]) == (10, 11, 11, 30, 31)
    assert (wires["P0"], wires["P2"], wires["P3"]) == (60, 62, 9003)
    assert (wires["CLK0"], wires["CE0"], wires["RST0"]) == (CLOCK, "1", "0")
    assert {block["port_directions"][name] for name in ("CLK0", "CE0", "RST0")} == {"input"}


@pytest.mark.parametrize(
    ("kept", "change"),
    [
        ("a", {"a1": register(11, 21, LSR=[99])}),
        ("a", {"a1": register(11, 21, LSRMUX="INV")}),
        ("a", {"a1": register(11, 21, CEMUX="CE", CE=[99])}),
        ("a", {"a1": register(11, 21, CEMUX="INV", CE=["1"])}),
        ("a", {"a1": register(11, 21, CLKMUX="INV")}),
        ("a", {"a1": register(11, 21, REGSET="SET")}),
        ("a", {"a1": register(11, 21, OTHER_CLOCK)}),
        ("a", {"a1": cell("LUT4", {}, {"A": [11], "Z": [21]}, {"Z"})}),
        ("b", {"b0": register(30, 40, OTHER_CLOCK), "b1": register(31, 41, OTHER_CLOCK)}),  # one clock for the block
        ("p", {"p1": register(51, 61, LSR=[99])}),
        ("p", {"p1": register(51, 61, OTHER_CLOCK)}),
        ("p", {"p1": cell("LUT4", {}, {"A": [51], "Z": [61]}, {"Z"})}),
        ("p", {"tap": cell("LUT4", {}, {"A": [51], "Z": [71]}, {"Z"})}),
        ("p", {"again": register(51, 71)}),
    ],
)
def test_what_is_not_plain_stays(kept, change):
    netlist = product(**change)
    gone = pack_registers(netlist)
    assert {name[0] for name in gone} == {"a", "b", "p"} - {kept}
    place = {"a": "INPUTA", "b": "INPUTB", "p": "OUTPUT"}[kept]
    assert f"REG_{place}_CLK" not in netlist["cells"]["m"]["parameters"]


def test_a_register_that_never_resets_and_always_takes_goes():
    netlist = product(a1=register(11, 21, CEMUX="CE", CE=["1"]))
    assert {"a0", "a1"} <= pack_registers(netlist)


def test_registers_of_the_harness_stay():
    netlist = product()
    for name in ("b0", "p0"):
        netlist["cells"][name]["attributes"]["src"] = "harness.v:7.3-14.6|/share/lattice/cells_map.v:16.1-16.2"
    assert pack_registers(netlist, "harness.v") == {"a0", "a1"}


def test_an_operand_used_elsewhere_is_copied():
    netlist = product(tap=cell("LUT4", {}, {"A": [20], "Z": [71]}, {"Z"}))
    assert pack_registers(netlist) == {"a1", "b0", "b1", "p0", "p1", "p2"}
    assert netlist["cells"]["m"]["connections"]["A0"] == [10] and netlist["cells"]["a0"]["connections"]["DI"] == [10]


@pytest.mark.parametrize(("constant", "packed"), [("0", True), ("x", True), ("1", False)])
def test_constant_bits_of_an_operand(constant, packed):
    netlist = product()
    netlist["cells"]["m"]["connections"]["A17"] = [constant]
    assert ("a0" in pack_registers(netlist)) is packed
    assert netlist["cells"]["m"]["connections"]["A17"] == [constant]


def test_a_product_at_a_port_of_the_design_stays():
    netlist = product()
    netlist["ports"]["z"] = {"bits": [51]}
    assert pack_registers(netlist) == {"a0", "a1", "b0", "b1"}


def test_a_register_between_two_multipliers_goes_once():
    netlist = product(n=multiplier([60, 61], [62], [80]))
    netlist["ports"] = {"y": {"bits": [80]}}
    pack_registers(netlist)
    first, second = netlist["cells"]["m"], netlist["cells"]["n"]
    assert "REG_OUTPUT_CLK" in first["parameters"] and "REG_INPUTA_CLK" not in second["parameters"]
    assert first["connections"]["P0"] == second["connections"]["A0"] == [60]


def ram(kind, **more):
    ports = {"DP16KD": ("DOA", "DOB"), "PDPW16KD": ("DO",)}[kind]
    wires = {f"{port}{i}": [100 * (index + 1) + i] for index, port in enumerate(ports) for i in range(4)}
    clocks = (
        {"CLKA": [CLOCK], "CLKB": [CLOCK], "RSTA": ["0"], "RSTB": ["0"]} if kind == "DP16KD" else {"CLKR": [CLOCK], "RST": ["0"]}
    )
    return cell(kind, {"GSR": "DISABLED"}, wires | clocks | more, set(wires))


def test_read_ports_of_block_ram():
    cells = {"r": ram("DP16KD"), "s": ram("PDPW16KD")}
    cells["s"]["connections"] |= {f"DO{i}": [300 + i] for i in range(4)}
    cells |= {f"qb{i}": register(200 + i, 220 + i) for i in range(3)} | {f"q{i}": register(300 + i, 320 + i) for i in range(4)}
    netlist = {"ports": {"y": {"bits": [*range(220, 223), *range(320, 324), 100]}}, "cells": cells, "netnames": {}}
    assert pack_registers(netlist) == {"qb0", "qb1", "qb2", "q0", "q1", "q2", "q3"}
    assert cells["r"]["parameters"] == {"GSR": "ENABLED", "REGMODE_B": "OUTREG"}
    assert cells["s"]["parameters"] == {"GSR": "ENABLED", "REGMODE": "OUTREG"}
    wires = {name: bits[0] for name, bits in cells["r"]["connections"].items()}
    assert (wires["OCEB"], wires["RSTB"], wires["DOB2"], wires["DOB3"], wires["DOA0"]) == ("1", "0", 222, 203, 100)


@pytest.mark.parametrize("plain", [True, False])
def test_a_word_of_36_bits_is_read_through_both_ports(plain):
    cells = {"r": ram("DP16KD"), "qa": register(100, 120), "qb": register(200, 220, **({} if plain else {"LSR": [99]}))}
    cells["r"]["parameters"]["DATA_WIDTH_B"] = f"{36:032b}"
    netlist = {"ports": {"y": {"bits": [120, 220]}}, "cells": cells, "netnames": {}}
    assert pack_registers(netlist) == ({"qa", "qb"} if plain else frozenset())
    assert ({"REGMODE_A", "REGMODE_B"} <= set(cells["r"]["parameters"])) is plain


@pytest.mark.parametrize("change", [{"RSTB": [99]}, {"CLKB": [OTHER_CLOCK]}])
def test_block_ram_with_a_reset_or_another_clock(change):
    cells = {"r": ram("DP16KD", **change), "q": register(200, 220)}
    assert pack_registers({"ports": {"y": {"bits": [220]}}, "cells": cells, "netnames": {}}) == frozenset()


class Memories(wiring.Component):
    """A memory with a register behind its read port, one with an enable and a tap there, and multipliers in a chain and in a PE."""

    i: In(64)
    phase: In(1)
    o: Out(64)

    def elaborate(self, platform):
        m = Module()
        outputs = Array(Signal(16, name=f"output_{n}", reset_less=True) for n in range(2))
        for n, memory in enumerate(Memory(shape=16, depth=1024, init=[], attrs={"no_rw_check": 1}) for _ in range(2)):
            m.submodules[f"memory_{n}"] = memory
            write, read = memory.write_port(), memory.read_port()
            # Never the word that is written.
            m.d.comb += [write.addr.eq(self.i[n:5] | (self.phase << 9)), read.addr.eq(self.i[5:10] | (~self.phase << 9))]
            m.d.comb += [write.data.eq(self.i[10 + n : 26]), write.en.eq(self.i[30]), read.en.eq(self.i[32 + n])]
            with m.If(self.i[40] | (n == 0)):
                m.d.sync += outputs[n].eq(read.data)
        m.submodules.first = first = Multiplier(width=8)
        m.submodules.second = second = Multiplier(width=8)
        m.submodules.pe = pe = PE(row=1, depthwise=True)
        m.d.comb += [first.i_a.eq(self.i[0:8]), first.i_b.eq(self.i[20:28])]
        m.d.comb += [second.i_a.eq(first.o_product[3:11]), second.i_b.eq(self.i[44:52])]
        m.d.comb += [
            pe.i_front.eq(self.i[10:21]),
            pe.i_down.eq(self.i[30:38]),
            pe.i_weight.eq(self.i[40:48]),
            pe.i_psum.eq(self.i[48:]),
        ]
        m.d.comb += self.o.eq(
            outputs[0] ^ (outputs[1] << 16) ^ (second.o_product << 8) ^ (pe.o_psum << 40) ^ (first.o_product << 30)
        )
        return m


BENCH = """
module bench(input clk, output reg [9:0] differences, wrong_differences);
  initial {differences, wrong_differences} = 0;
  reg [63:0] state = 64'h9e3779b97f4a7c15;
  reg [9:0] count = 0;
  wire [63:0] a = state ^ (state << 13), b = a ^ (a >> 7), gold_o, gate_o, wrong_o;
  always @(posedge clk) begin
    state <= b ^ (b << 17);
    count <= count + 1;
  end
  gold gold (.clk(clk), .rst(1'b0), .i(state), .phase(count[6]), .o(gold_o));
  gate gate (.clk(clk), .rst(1'b0), .i(state), .phase(count[6]), .o(gate_o));
  wrong wrong (.clk(clk), .rst(1'b0), .i(state), .phase(count[6]), .o(wrong_o));
  always @(posedge clk) begin
    differences <= differences + (gold_o != gate_o);
    wrong_differences <= wrong_differences + (gold_o != wrong_o);
  end
endmodule
"""
MAIN = """
#include "Vbench.h"
#include <cstdio>
int main() {
  Vbench bench;
  for (int edge = 0; edge < 2000; ++edge) {
    bench.clk = edge & 1;
    bench.eval();
  }
  std::printf("%d %d\\n", bench.differences, bench.wrong_differences);
}
"""
FLAGS = "--cc --exe --build -O0 -CFLAGS -O0 --output-split 0 --no-timing --x-initial 0 --top-module bench --Mdir obj -Wno-lint -Wno-fatal"


def test_the_packed_netlist_computes_the_same(tmp_path):
    """Against the design, 1,000 cycles; a netlist with one register too many shows that the bench sees it."""
    (tmp_path / "gold.v").write_text(to_verilog(Memories(), "gold"))
    (tmp_path / "gate.il").write_text(declare_collisions(to_rtlil(Memories(), "gate")))
    run_tool(YOSYS, ["-q", "-p", "read_rtlil gate.il; synth_ecp5 -top gate; write_json gate.json"], tmp_path)
    gate = json.loads((tmp_path / "gate.json").read_text())["modules"]["gate"]
    assert len(pack_registers(gate)) > 100
    blocks = [cell["parameters"] for cell in gate["cells"].values() if cell["type"] in {"MULT18X18D", "DP16KD"}]
    assert sum("REG_OUTPUT_CLK" in parameters for parameters in blocks) == 3
    assert sum("OUTREG" in parameters.values() for parameters in blocks) == 1
    for parameters in blocks:  # the memories start at zero
        for name in [name for name in parameters if name.startswith("INITVAL_")]:
            del parameters[name]
    wrong = copy.deepcopy(gate)
    block = next(c for c in wrong["cells"].values() if c["type"] == "DP16KD" and "OUTREG" not in c["parameters"].values())
    block["parameters"]["REGMODE_B"] = "OUTREG"
    (tmp_path / "packed.json").write_text(json.dumps({"modules": {"gate": gate, "wrong": wrong}}))
    run_tool(YOSYS, ["-q", "-p", "read_json packed.json; write_verilog -noattr gates.v"], tmp_path)
    (tmp_path / "bench.v").write_text(BENCH)
    (tmp_path / "main.cpp").write_text(MAIN)
    verilator = find_verilator()
    sources = ["main.cpp", "bench.v", "gold.v", "gates.v", str(MODELS)]
    build = [str(verilator.executable), *FLAGS.split(), *sources]
    subprocess.run(build, cwd=tmp_path, env=verilator.environment(), check=True, capture_output=True)
    same, wrong_differences = subprocess.run([tmp_path / "obj" / "Vbench"], check=True, capture_output=True).stdout.split()
    assert int(same) == 0 and int(wrong_differences) > 100
