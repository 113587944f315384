"""The LiteX target: the example SoC elaborates, its Verilog is complete, and what cannot work is refused."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from talos.config import PRESETS, AcceleratorConfig
from talos.targets.litex import litex_files
from talos.targets.verilog import core_ports
from talos.toolchain import find_verilator


def export(folder: Path, config: AcceleratorConfig) -> None:
    folder.mkdir(exist_ok=True)
    for name, text in litex_files(config).items():
        (folder / name).write_text(text)


def python(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": ""}
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("preset", ["4x4", "8x8"])  # as wide as the bus, and wider
def test_the_example_elaborates_to_complete_verilog(preset: str, tmp_path: Path) -> None:
    config = PRESETS[preset]
    export(tmp_path, config)
    (tmp_path / "ram.bin").write_bytes(bytes(range(8)))
    done = python(tmp_path, "soc_example.py", "--build", "build", "--ram-file", "ram.bin")
    assert done.returncode == 0, done.stderr[-2000:]
    gateware = tmp_path / "build" / "gateware"
    assert (gateware / "talos_soc_main_ram.init").read_text().split()[:2] == ["03020100", "07060504"]
    assert "TALOS_BASE 0x10000000" in re.sub(r" +", " ", (tmp_path / "build/software/include/generated/mem.h").read_text())

    text = (gateware / "talos_soc.v").read_text()
    instance = re.search(r"^talos talos\((.*?)^\);", text, re.MULTILINE | re.DOTALL)
    assert instance is not None
    assert sorted(re.findall(r"^\s*\.(\w+)", instance[1], re.MULTILINE)) == sorted(core_ports(config))

    ports = core_ports(config)
    assert complaints(gateware, ports) == []
    wide = ports | {"m_axi_rdata": {"direction": "input", "width": 2 * config.axi_data_width}}
    assert any("connection 'm_axi_rdata'" in line for line in complaints(gateware, wide))
    more = ports | {"m_axi_rlock": {"direction": "input", "width": 1}}
    assert any("'m_axi_rlock'" in line for line in complaints(gateware, more))


def complaints(gateware: Path, ports: dict[str, dict[str, Any]]) -> list[str]:
    """What Verilator says about the connection of a core with these ports, and about signals that are not what they seem.

    The core has no inside: Verilator takes long for it, and its ports are what can be wrong here. Migen's own style (COMBDLY, sums cut to
    their width) is left out.
    """
    header = ", ".join(f"{values['direction']} [{values['width'] - 1}:0] {name}" for name, values in ports.items())
    (gateware / "ports.v").write_text(f"module talos({header}); endmodule\n")
    verilator = find_verilator()
    command = [
        str(verilator.executable),
        "--lint-only",
        "-Wno-fatal",
        "--quiet",
        "--top-module",
        "talos_soc",
        "talos_soc.v",
        "ports.v",
    ]
    done = subprocess.run(command, env=verilator.environment(), cwd=gateware, capture_output=True, text=True, check=False)
    wanted = re.compile(r"^%(?:Error|Warning-(?:PIN|IMPLICIT|MULTIDRIVEN|LATCH|UNOPTFLAT))|port connection")
    return [line for line in (done.stdout + done.stderr).splitlines() if wanted.search(line)]


SOC = """
from litex.soc.integration.soc_core import SoCMini
from soc_example import Platform
from talos_litex import Talos
platform = Platform("", [])
soc = SoCMini(platform, 1000000, bus_data_width={width}, bus_address_width={address})
Talos(platform{name}).add_to(soc)
"""


@pytest.mark.parametrize(
    ("width", "address", "name", "message"),
    [
        (64, 32, "", "the SoC's bus has 64 bits, more than the core's 32: generate the core with axi_data_width=64 or more"),
        (32, 64, "", "the core has 32 address bits, the SoC's bus 64"),
        (32, 32, ", name='talos_9x9'", "talos_9x9.json"),
    ],
)
def test_what_cannot_work_is_refused(width: int, address: int, name: str, message: str, tmp_path: Path) -> None:
    export(tmp_path, PRESETS["4x4"])
    done = python(tmp_path, "-c", SOC.format(width=width, address=address, name=name))
    assert done.returncode == 1
    assert message in done.stderr.splitlines()[-1]


def test_two_cores_in_a_folder_need_a_name(tmp_path: Path) -> None:
    export(tmp_path, PRESETS["4x4"])
    export(tmp_path, PRESETS["8x8"])
    done = python(tmp_path, "-c", SOC.format(width=32, address=32, name=""))
    assert "choose one core with name=…; there are: talos_4x4, talos_8x8" in done.stderr
    assert python(tmp_path, "-c", SOC.format(width=32, address=32, name=", name='talos_8x8'")).returncode == 0
