"""The generated Verilog in Yosys and Icarus Verilog: no conflict, latch or combinational loop, and every AXI output is a register."""

import json
import shutil
import subprocess

import pytest

from talos.config import PRESETS
from talos.errors import TalosError
from talos.runtime.verilog_cache import cached_verilog
from talos.yowasp import YOSYS, run_tool

CHECKS = "read_verilog design.v; hierarchy -check -top talos; proc; check -assert; select -assert-none t:$dlatch t:$adlatch t:$dlatchsr t:$_DLATCH_*"
FLAT = "flatten; opt_clean; check -assert; scc -expect 0; write_json design.json"
REGISTERS = ("$dff", "$dffe", "$sdff", "$sdffe", "$sdffce")


def yosys(folder, text, *steps):
    (folder / "design.v").write_text(text)
    run_tool(YOSYS, ["-q", "-p", "; ".join(steps)], folder)


def drivers(folder):
    """Of each output of the flat design: the types of the cells that drive its bits; "constant" and "input" are not cells."""
    modules = json.loads((folder / "design.json").read_text())["modules"]
    top = modules["talos"]
    driven = {}
    for cell in top["cells"].values():
        for port, bits in cell["connections"].items():
            if cell["port_directions"][port] == "output":
                driven |= dict.fromkeys(bits, cell["type"])
    return {
        name: {"constant" if isinstance(bit, str) else driven.get(bit, "input") for bit in port["bits"]}
        for name, port in top["ports"].items()
        if port["direction"] == "output"
    }


def unregistered(folder):
    """The bus outputs, and the interrupt, that follow something else than registers and constants."""
    return {
        name
        for name, kinds in drivers(folder).items()
        if name.startswith(("m_axi_", "s_axil_")) or name == "irq"
        if not kinds <= {*REGISTERS, "constant"}
    }


def test_the_whole_core(tmp_path):
    yosys(tmp_path, cached_verilog(PRESETS["4x4"]), CHECKS, FLAT)
    outputs = drivers(tmp_path)
    assert {"m_axi_arvalid", "m_axi_rready", "m_axi_wvalid", "m_axi_bready", "s_axil_rdata", "irq"} <= set(outputs)
    assert unregistered(tmp_path) == set()
    assert outputs["m_axi_rready"] <= set(REGISTERS)
    assert outputs["m_axi_bready"] == {"constant"}


def test_each_module_of_a_larger_core(tmp_path):
    yosys(tmp_path, cached_verilog(PRESETS["8x8"]), CHECKS)


MODULE = """module talos(input clk, input m_axi_awready, input [1:0] d, output m_axi_wvalid, output irq);
  reg r; always @(posedge clk) r <= d[0];
  assign irq = r;
  {body}
endmodule
"""


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("reg l; always @* if (d[0]) l = d[1]; assign m_axi_wvalid = l;", "selection is not empty|Assertion failed"),
        ("wire a = d[0] & b; wire b = d[1] | a; assign m_axi_wvalid = a;", "Found 1 problems in .check -assert"),
        ("assign m_axi_wvalid = d[0]; assign m_axi_wvalid = d[1] & d[0];", "Found 2 problems in .check -assert"),
        ("wire n; assign m_axi_wvalid = n;", "Found 1 problems in .check -assert"),
        ("absent part(.d(d), .q(m_axi_wvalid));", "absent"),
    ],
    ids=["latch", "loop", "two drivers", "no driver", "no module"],
)
def test_a_defect_is_found(body, said, tmp_path):
    with pytest.raises(TalosError, match=said):
        yosys(tmp_path, MODULE.format(body=body), CHECKS, FLAT)


@pytest.mark.parametrize("body", ["assign m_axi_wvalid = r & m_axi_awready;", "assign m_axi_wvalid = m_axi_awready;"])
def test_an_output_without_a_register_is_found(body, tmp_path):
    yosys(tmp_path, MODULE.format(body=body), CHECKS, FLAT)
    assert unregistered(tmp_path) == {"m_axi_wvalid"}


@pytest.mark.parametrize("preset", ["4x4", "8x8"])
def test_icarus_elaborates(preset, tmp_path):
    icarus = shutil.which("iverilog")
    if icarus is None:
        pytest.skip("Icarus Verilog is not installed (Debian package: iverilog)")
    (tmp_path / "design.v").write_text(cached_verilog(PRESETS[preset]))
    command = [icarus, "-g2005", "-Wall", "-Wno-timescale", "-t", "null", "-s", "talos", "design.v"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
