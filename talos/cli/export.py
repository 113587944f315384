"""talos export"""

from pathlib import Path
from typing import Annotated

import typer

from talos.cli.options import JsonOption, QuietOption
from talos.cli.sources import load_program

__all__ = ["export_command"]


def export_command(
    program_path: Annotated[Path, typer.Argument(metavar="PROGRAM", help="A compiled program.", show_default=False)],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="Folder to write to; made if need be.", show_default=False)
    ],
    json_path: JsonOption = None,
    quiet: QuietOption = False,
) -> None:
    """Write a C99 driver without dependencies that runs a program on the core, with the program as C data."""
    from talos.cli.terminal import Terminal
    from talos.driver.export import export_driver

    terminal = Terminal(quiet=quiet, json_path=json_path)
    program = load_program(program_path)
    paths = export_driver(program, output)
    for path in paths:
        terminal.line(f"{path}: {path.stat().st_size:,} bytes")
    if program.host:
        terminal.line(f"the driver runs the accelerator; {output / 'README.txt'} lists the parts that are for onnxruntime")
    terminal.write_json(
        {
            "program": program.name,
            "config": program.config.name,
            "config_hash": program.config.hash,
            "files": [{"path": str(path), "bytes": path.stat().st_size} for path in paths],
        }
    )
