"""The generated Verilog is clean under `verilator --lint-only -Wall` with the waivers of talos/rtl/lint.vlt, each of them needed."""

import fnmatch
import re
import subprocess
from pathlib import Path

import pytest

from talos.config import PRESETS
from talos.runtime.verilog_cache import cached_verilog
from talos.toolchain import find_verilator

WAIVERS = Path(__file__).parent.parent / "talos" / "rtl" / "lint.vlt"
WAIVER = re.compile(r'^lint_off -rule (\w+)(?: -file "\*" -match "(.*)")?$')


def lint(folder, name, text, *, waivers=True):
    """What Verilator says about `text`, a file of that name; empty if nothing."""
    path = folder / name
    path.write_text(text)
    verilator = find_verilator()
    files = [str(WAIVERS)] * waivers + [str(path)]
    command = [str(verilator.executable), "--lint-only", "-Wall", "-Wno-fatal", "--quiet", "--top-module", "talos", *files]
    done = subprocess.run(command, env=verilator.environment(), cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout + done.stderr


@pytest.mark.parametrize("preset", ["4x4", "8x8"])
def test_generated_verilog_is_clean(preset, tmp_path):
    assert lint(tmp_path, f"talos_{preset}.v", cached_verilog(PRESETS[preset])) == ""


def test_every_waiver_is_needed_and_explained(tmp_path):
    lines = WAIVERS.read_text().splitlines()
    entries = [(number, WAIVER.match(line)) for number, line in enumerate(lines) if line.startswith("lint_off")]
    assert entries and all(match for _, match in entries)
    said = lint(tmp_path, "talos_4x4.v", cached_verilog(PRESETS["4x4"]), waivers=False)
    warnings = re.findall(r"^%Warning-(\w+): \S+ (.*)$", said, re.MULTILINE)
    for number, match in entries:
        rule, pattern = match[1], match[2] or "*"
        assert lines[number - 1].startswith("//"), f"line {number + 1} is not explained"
        assert any(rule == seen and fnmatch.fnmatchcase(text, pattern) for seen, text in warnings), (
            f"line {number + 1} is not needed"
        )


@pytest.mark.parametrize(
    ("defect", "rule"),
    [
        ("wire [3:0] defect_a; assign defect_a = {m_axi_rdata[1:0], m_axi_rdata[4:0]};", "WIDTHTRUNC"),
        ("wire defect_b; wire defect_c; assign defect_c = defect_b;", "UNDRIVEN"),
        ("reg defect_d; always @* if (clk) defect_d = rst;", "LATCH"),
    ],
)
def test_a_defect_is_found(defect, rule, tmp_path):
    """The waivers do not hide a truncation, an undriven signal or a latch."""
    text = cached_verilog(PRESETS["4x4"])
    end = text.index("endmodule", text.index("module talos("))
    said = lint(tmp_path, "talos_4x4.v", f"{text[:end]}  {defect}\n{text[end:]}")
    assert f"%Warning-{rule}" in said
