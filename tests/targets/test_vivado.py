"""The Vivado scripts against stub commands: every port is mapped once, the registers are those of the core, nothing is unknown."""

import tkinter
from pathlib import Path

import pytest

from talos.config import PRESETS
from talos.registers import REGISTERS
from talos.targets.verilog import core_ports
from talos.targets.vivado import vivado_files
from tests.targets.vivado_stub import Recorder, run_script

CONFIG = PRESETS["8x8"]
PORTS = core_ports(CONFIG)
TRACE = {"trace_start", "trace_done"}  # in no interface


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("vivado")
    for name, text in vivado_files(CONFIG, clock_mhz=150).items():
        (folder / name).write_text(text)
    return folder


@pytest.fixture(scope="module")
def packaging(folder: Path) -> Recorder:
    return run_script(folder / "package_ip.tcl")


def interfaces(packaging: Recorder) -> dict[str, str]:
    core = packaging.named("ipx::save_core")[0][0]
    return packaging.children("ipx::add_bus_interface", core)


def test_every_port_is_mapped_exactly_once(packaging: Recorder) -> None:
    mapped: list[str] = []
    for name, interface in interfaces(packaging).items():
        for logical, port_map in packaging.children("ipx::add_port_map", interface).items():
            physical = packaging.properties(port_map)["physical_name"]
            mapped.append(physical)
            if name in ("m_axi", "s_axil"):
                assert physical == f"{name}_{logical.lower()}"
    assert sorted(mapped) == sorted(set(PORTS) - TRACE)


def test_interfaces_have_their_kind_and_parameters(packaging: Recorder) -> None:
    expected = {
        "m_axi": ("interface:aximm", "master", {"PROTOCOL": "AXI4", "DATA_WIDTH": "64", "ADDR_WIDTH": "32", "ID_WIDTH": "2"}),
        "s_axil": ("interface:aximm", "slave", {"PROTOCOL": "AXI4LITE", "DATA_WIDTH": "32", "ADDR_WIDTH": "12"}),
        "clk": ("signal:clock", "slave", {"ASSOCIATED_BUSIF": "m_axi:s_axil", "ASSOCIATED_RESET": "rst"}),
        "rst": ("signal:reset", "slave", {"POLARITY": "ACTIVE_HIGH"}),
        "irq": ("signal:interrupt", "master", {"SENSITIVITY": "LEVEL_HIGH"}),
    }
    found = interfaces(packaging)
    assert set(found) == set(expected)
    for name, (kind, mode, parameters) in expected.items():
        properties = packaging.properties(found[name])
        assert properties["bus_type_vlnv"] == f"xilinx.com:{kind}:1.0"
        assert properties["abstraction_type_vlnv"] == f"xilinx.com:{kind}_rtl:1.0"
        assert properties["interface_mode"] == mode
        made = packaging.children("ipx::add_bus_parameter", found[name])
        assert parameters.items() <= {key: packaging.properties(handle)["value"] for key, handle in made.items()}.items()


def test_memory_map_and_address_space(packaging: Recorder) -> None:
    core = packaging.named("ipx::save_core")[0][0]
    found = interfaces(packaging)
    maps, spaces = packaging.children("ipx::add_memory_map", core), packaging.children("ipx::add_address_space", core)
    assert packaging.properties(found["s_axil"])["slave_memory_map_ref"] in maps
    assert packaging.properties(found["m_axi"])["master_address_space_ref"] in spaces
    assert packaging.properties(spaces["m_axi"]) == {"range": str(1 << 32), "width": "32"}
    blocks = packaging.children("ipx::add_address_block", maps["s_axil"])
    assert packaging.properties(blocks["registers"])["range"] == "4096"
    made = packaging.children("ipx::add_register", blocks["registers"])
    assert list(made) == list(REGISTERS)
    for name, handle in made.items():
        properties = packaging.properties(handle)
        assert int(properties["address_offset"], 0) == REGISTERS[name].offset
        assert properties["description"] == REGISTERS[name].doc
        assert (properties["access"] == "read-only") == (REGISTERS[name].access == "ro")


def test_what_was_inferred_is_removed_before_anything_is_declared(packaging: Recorder) -> None:
    order = [call[0] for call in packaging.calls]
    first = order.index("ipx::add_bus_interface")
    for command in ("ipx::remove_all_bus_interface", "ipx::remove_memory_map", "ipx::remove_address_space"):
        assert order.index(command) < first


def test_files_that_the_scripts_name_exist(packaging: Recorder, folder: Path) -> None:
    files = [arguments[-1] for arguments in packaging.named("add_files")]
    assert [Path(file).name for file in files] == ["talos_8x8.v", "talos_ooc.xdc"]
    assert all(Path(file).is_file() for file in files)
    assert {Path(file).name for file in folder.iterdir()} == {
        "talos_8x8.v", "talos_8x8.json", "package_ip.tcl", "talos_ooc.xdc", "block_design_zynq.tcl", "README.md",
    }  # fmt: skip


def test_clock_constraint(folder: Path) -> None:
    recorder = run_script(folder / "talos_ooc.xdc")
    assert recorder.named("create_clock") == [("-period", "6.667", "-name", "clk", "get_ports:clk")]


@pytest.mark.parametrize("part", [None, "xczu3eg-sbva484-1-e"])
def test_block_design_connects_the_packaged_core(folder: Path, packaging: Recorder, part: str | None) -> None:
    design = run_script(folder / "block_design_zynq.tcl", {"TALOS_PART": part, "TALOS_BOARD": "vendor:board"} if part else None)
    cells = {arguments[-1]: arguments[arguments.index("-vlnv") + 1] for arguments in design.named("create_bd_cell")}
    name = packaging.properties(packaging.named("ipx::save_core")[0][0])["name"]
    assert cells["talos"] == f"talos:accelerator:{name}:1.0"
    connected = [pin for call in ("connect_bd_net", "connect_bd_intf_net") for pair in design.named(call) for pin in pair]
    assert sorted(pin for pin in connected if pin.startswith("talos/")) == sorted(f"talos/{pin}" for pin in interfaces(packaging))
    assert ("resets/peripheral_reset", "talos/rst") in design.named("connect_bd_net")
    assert {pin.split("/")[0] for pin in connected} == set(cells)


def test_the_stub_finds_errors(tmp_path: Path) -> None:
    for text in ("ipx::add_regster X", "set_property a $undefined b", "if {1} {"):
        script = tmp_path / "bad.tcl"
        script.write_text(text)
        with pytest.raises(tkinter.TclError):
            run_script(script)
