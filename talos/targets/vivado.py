"""Target `vivado`: scripts that package the core as an IP, constrain it, and put it beside the processor of a Zynq."""

from typing import Any

from talos.config import AcceleratorConfig
from talos.registers import REGISTERS
from talos.targets.render import render
from talos.targets.verilog import core_files, core_ports, file_name

__all__ = ["vivado_files"]

_ACCESS = {"ro": "read-only", "rw": "read-write", "w1": "write-only"}  # names of IP-XACT


def vivado_files(config: AcceleratorConfig, *, clock_mhz: float) -> dict[str, str]:
    """Texts by file name. clock_mhz: of the constraint and of the example's fabric clock. Raises TalosError."""
    ports = core_ports(config)
    name = file_name(config)
    ip_name = name.replace("-", "_")
    clock = f"{clock_mhz:g}"
    common = {"CONFIG_NAME": config.name}
    script = {
        **common,
        "MODULE_FILE": f"{name}.v",
        "IP_NAME": ip_name,
        "CONFIG_HASH": config.hash,
        "M_AXI_PORTS": _port_map(ports, "m_axi_"),
        "S_AXIL_PORTS": _port_map(ports, "s_axil_"),
        "DATA_WIDTH": config.axi_data_width,
        "ADDRESS_WIDTH": config.axi_addr_width,
        "ADDRESS_RANGE": 1 << config.axi_addr_width,
        "ID_WIDTH": ports["m_axi_arid"]["width"],
        "MAX_BURST": config.max_burst,
        "REGISTER_ADDRESS_WIDTH": ports["s_axil_araddr"]["width"],
        "REGISTER_RANGE": 1 << ports["s_axil_araddr"]["width"],
        "REGISTERS": "\n".join(_register(*values) for values in _registers()),
    }
    readme = {
        **common,
        "CONFIG_HASH": config.hash,
        "MODULE_FILE": f"{name}.v",
        "JSON_FILE": f"{name}.json",
        "IP_NAME": ip_name,
        "CLOCK_MHZ": clock,
        "DATA_WIDTH": config.axi_data_width,
        "ADDRESS_WIDTH": config.axi_addr_width,
        "MAX_BURST": config.max_burst,
    }
    return {
        **core_files(config),
        "package_ip.tcl": render("vivado/package_ip.tcl", script),
        "talos_ooc.xdc": render("vivado/talos_ooc.xdc", common | {"CLOCK_MHZ": clock, "PERIOD_NS": f"{1000 / clock_mhz:.3f}"}),
        "block_design_zynq.tcl": render("vivado/block_design_zynq.tcl", {"IP_NAME": ip_name, "CLOCK_MHZ": clock}),
        "README.md": render("vivado/README.md", readme),
    }


def _port_map(ports: dict[str, dict[str, Any]], prefix: str) -> str:
    """A line `AWADDR m_axi_awaddr` for each port that begins with `prefix`."""
    names = [name for name in ports if name.startswith(prefix)]
    return "\n".join(f"    {name.removeprefix(prefix).upper()} {name}" for name in names)


def _registers() -> list[tuple[str, int, str, str]]:
    return [(register.name, register.offset, _ACCESS[register.access], register.doc) for register in REGISTERS.values()]


def _register(name: str, offset: int, access: str, doc: str) -> str:
    return f"    {name} {offset:#05x} {access} {{{doc}}}"
