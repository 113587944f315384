"""Area, clock and critical path of a synthesis for the terminal."""

from collections.abc import Iterator

from rich import box
from rich.table import Table

from talos.synth.flow import Synthesis
from talos.synth.place import CriticalPath
from talos.synth.resources import Resources, group

__all__ = ["critical_path_lines", "module_table", "synthesis_lines"]

_COLUMNS = {"lut": "LUT", "ff": "FF", "dsp": "DSP", "bram": "block RAM"}


def module_table(result: Synthesis, depth: int) -> Table:
    """Resources by module down to `depth` levels, the sum, and what the device has."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("module", overflow="fold")
    for title in _COLUMNS.values():
        table.add_column(title, justify="right")
    for name, resources in group(result.modules, depth).items():
        table.add_row(name, *_cells(resources))
    table.add_section()
    table.add_row("total", *_cells(result.total))
    capacity = dict(result.device.capacity)
    if capacity:
        table.add_row(result.device.name, *(f"{capacity[resource]:,}" for resource in _COLUMNS))
    return table


def _cells(resources: Resources) -> list[str]:
    values = resources.to_json()
    return [f"{values[resource]:,}" if values[resource] else "–" for resource in _COLUMNS]


def synthesis_lines(result: Synthesis) -> Iterator[str]:
    """Area for each MAC, the clock of each seed and the critical path of the best."""
    if result.module is None:
        area = result.total.lut / result.config.peak_macs
        yield f"{area:.1f} LUT for each of the {result.config.peak_macs} MACs per cycle"
    if result.best is None:
        return
    grade = "" if result.speed is None else f" speed grade {result.speed}"
    clocks = ", ".join(f"{placement.fmax_mhz:.1f}" for placement in result.placements)
    seeds = "seed 1" if len(result.placements) == 1 else f"best of seeds 1 to {len(result.placements)}: {clocks}"
    yield f"{result.best.fmax_mhz:.1f} MHz on {result.device.name}{grade} after routing ({seeds})"
    yield from critical_path_lines(result.best.critical_path)


def critical_path_lines(path: CriticalPath) -> Iterator[str]:
    """Where the slowest path spends its time, one line per component it passes."""
    share = path.routing_ns / (path.logic_ns + path.routing_ns)
    yield f"critical path: {path.logic_ns + path.routing_ns:.2f} ns, {path.levels} cells between the registers, {share:.0%} routing"
    width = max(len(step.component) for step in path.steps)
    for step in path.steps:
        yield f"  {step.component:<{width}}  {step.levels:>2} cells  {step.logic_ns:6.2f} ns logic  {step.routing_ns:6.2f} ns routing"
    yield f"  from {path.begin}"
    yield f"  to   {path.end}"
