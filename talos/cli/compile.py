"""talos compile"""

from pathlib import Path
from typing import Annotated

import typer

from talos.cli.options import CalibrateOption, ConfigOption, JsonOption, NoHostOption, QuietOption
from talos.cli.sources import DEFAULT_CONFIG, compile_file, optional_arrays

__all__ = ["compile_command"]


def compile_command(
    model: Annotated[Path, typer.Argument(metavar="MODEL.onnx", help="Float or quantized (QDQ) ONNX model.", show_default=False)],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="PROGRAM", help="File to write.", show_default=False)],
    config: ConfigOption = DEFAULT_CONFIG,
    calibrate: CalibrateOption = None,
    report: Annotated[
        bool, typer.Option("--report", help="Also say where each node runs, and why; for nodes on the host, how to change that.")
    ] = False,
    batch: Annotated[
        int | None,
        typer.Option("--batch", metavar="N", min=1, help="Images that one run takes (default: the model's own batch, else 1)."),
    ] = None,
    no_host: NoHostOption = False,
    json_path: JsonOption = None,
    quiet: QuietOption = False,
) -> None:
    """Compile an ONNX model into a program for the accelerator."""
    from talos.cli.terminal import Terminal, require_writable
    from talos.config import load_config
    from talos.report.placement import host_line, host_table, placement_table
    from talos.report.results import compilation_json

    terminal = Terminal(quiet=quiet, json_path=json_path)
    require_writable(output)
    accelerator = load_config(config)
    with terminal.progress() as progress:
        compiled = compile_file(model, accelerator, optional_arrays(calibrate), host=not no_host, batch=batch, progress=progress)
    program = compiled.program
    program.save(output)
    summary = compilation_json(program, str(model))
    images = f" per image, {program.batch} images a run" if program.batch > 1 else ""
    counts = ", ".join(f"{count} {place}" for place, count in summary["placement_counts"].items())
    terminal.line(f"{output}: {model.name} for {program.config.name} (hash {program.config.hash})")
    terminal.line(f"  {len(program.layers)} layers, {program.instruction_count} instructions, {program.macs:,} MACs" + images)
    terminal.line(f"  {len(program.constants):,} bytes of constants, {sum(program.region_bytes):,} bytes of DRAM")
    terminal.line(f"  {len(program.placements)} ONNX nodes: {counts}")
    on_host = host_line(program)
    if on_host is not None:
        terminal.line(f"  {on_host}" + ("" if report else "; --report says why"))
    if report:
        terminal.line()
        terminal.show(placement_table(program, terminal.width))
        reasons = host_table(program, terminal.width)
        if reasons is not None:
            terminal.show("", reasons)
    terminal.write_json(summary)
