"""talos trace"""

from pathlib import Path
from typing import Annotated

import typer

from talos.cli.options import CalibrateOption, JsonOption, MemoryOption, NoHostOption, ProgramConfigOption, QuietOption
from talos.cli.sources import find_program

__all__ = ["trace_command"]


def trace_command(
    program_path: Annotated[
        Path,
        typer.Argument(metavar="PROGRAM|MODEL.onnx", help="A compiled program, or a model to compile first.", show_default=False),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="TRACE.json", help="File to write.", show_default=False)],
    config: ProgramConfigOption = None,
    calibrate: CalibrateOption = None,
    memory: MemoryOption = "",
    no_host: NoHostOption = False,
    json_path: JsonOption = None,
    quiet: QuietOption = False,
) -> None:
    """Write when every instruction of a run begins and ends, as a file that https://ui.perfetto.dev opens (a cycle is a microsecond).

    A track for each unit with a slice per instruction, named by opcode and layer; one that says which layer each cycle belongs to; and two
    counters of DRAM traffic. The times are the cycle model's, which are the Verilog's.
    """
    from talos.cli.terminal import Terminal, require_writable
    from talos.memory import MemoryTiming
    from talos.model.timing.core import simulate
    from talos.report.perfetto import write_perfetto
    from talos.runtime.device import memory_map

    terminal = Terminal(quiet=quiet, json_path=json_path)
    timing = MemoryTiming.parse(memory)
    require_writable(output)
    with terminal.progress() as progress:
        program = find_program(program_path, config, calibrate, no_host=no_host, progress=progress)
        run = simulate(program, timing, memory_map(program)[0], progress=progress)
        progress(f"writing {output.name}", 0, 0)
        write_perfetto(output, program, run)
    terminal.line(
        f"{output}: {run.cycles:,} cycles, {program.instruction_count:,} instructions; open it in https://ui.perfetto.dev"
    )
    terminal.write_json(
        {
            "program": str(program_path),
            "config": program.config.name,
            "config_hash": program.config.hash,
            "output": str(output),
            "cycles": run.cycles,
            "instructions": program.instruction_count,
        }
    )
