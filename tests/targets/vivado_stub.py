"""Vivado's commands as the scripts use them, recorded: a Tcl interpreter that knows these and no others."""

import tkinter
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["Recorder", "run_script"]

COMMANDS = (
    "create_project", "close_project", "add_files", "set_property", "get_property", "get_files", "get_filesets", "update_compile_order",
    "update_ip_catalog", "current_project", "ipx::package_project", "ipx::current_core", "ipx::remove_all_bus_interface",
    "ipx::get_memory_maps", "ipx::remove_memory_map", "ipx::get_address_spaces", "ipx::remove_address_space", "ipx::add_bus_interface",
    "ipx::add_port_map", "ipx::add_bus_parameter", "ipx::add_address_space", "ipx::add_memory_map", "ipx::add_address_block",
    "ipx::add_register", "ipx::create_xgui_files", "ipx::update_checksums", "ipx::check_integrity", "ipx::save_core",
    "create_bd_design", "create_bd_cell", "apply_bd_automation", "connect_bd_net", "connect_bd_intf_net", "get_bd_pins",
    "get_bd_intf_pins", "assign_bd_address", "validate_bd_design", "save_bd_design", "make_wrapper", "create_clock", "get_ports",
)  # fmt: skip


@dataclass
class Recorder:
    """`calls` in order, each the command and its arguments. `objects` are what commands gave, by handle: the call that made each."""

    calls: list[tuple[str, ...]] = field(default_factory=list)
    objects: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def record(self, *call: str) -> str:
        self.calls.append(call)
        name = call[0]
        if name in ("ipx::get_memory_maps", "ipx::get_address_spaces"):
            handle = f"inferred_{name[9:]}"
        elif name.startswith(("ipx::add_", "ipx::current_core")):
            handle = f"object{len(self.objects)}"
        elif name == "create_bd_cell":
            handle = call[-1]
        elif name.startswith("get_bd_"):
            handle = call[1]
        else:
            handle = f"{name}:{':'.join(call[1:])}"
        self.objects[handle] = call
        return handle

    def named(self, command: str) -> list[tuple[str, ...]]:
        """Arguments of the calls of `command`."""
        return [call[1:] for call in self.calls if call[0] == command]

    def properties(self, handle: str) -> dict[str, str]:
        """What `set_property` gave the object: name → value."""
        found: dict[str, str] = {}
        for *values, target in self.named("set_property"):
            if target == handle:
                assert values[0] == "-dict" or values[0] not in found, f"{values[0]} of {self.objects[handle]} is set twice"
                found[values[0]] = values[1]
        return found

    def children(self, command: str, parent: str) -> dict[str, str]:
        """Objects that `command NAME parent` made: handle by name."""
        made = [(call[1], handle) for handle, call in self.objects.items() if call[0] == command and call[2] == parent]
        assert len(dict(made)) == len(made), f"{command} made the same name twice: {made}"
        return dict(made)


def run_script(path: Path, environment: dict[str, str] | None = None) -> Recorder:
    """Run a script; an unknown command, variable or a syntax error raises tkinter.TclError."""
    recorder = Recorder()
    tcl = tkinter.Tcl()
    tcl.eval("namespace eval ipx {}; rename exec {}; rename unknown {}")
    for command in COMMANDS:
        tcl.createcommand(command, lambda *arguments, command=command: recorder.record(command, *map(str, arguments)))
    for name in ("TALOS_PART", "TALOS_BOARD"):
        tcl.eval(f"unset -nocomplain ::env({name})")
    for name, value in (environment or {}).items():
        tcl.setvar(f"env({name})", value)
    tcl.eval(f"source {{{path}}}")
    return recorder
