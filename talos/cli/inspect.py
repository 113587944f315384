"""talos disasm, talos info"""

from pathlib import Path
from typing import Annotated

import typer

from talos.cli.options import JsonOption, QuietOption
from talos.cli.sources import load_program
from talos.errors import TalosError

__all__ = ["disasm_command", "info_command"]


def disasm_command(
    program_path: Annotated[Path, typer.Argument(metavar="PROGRAM", help="A compiled program.", show_default=False)],
    json_path: JsonOption = None,
    quiet: QuietOption = False,
) -> None:
    """List a program's instructions, layer by layer. Fields at their default are left out."""
    from talos.cli.terminal import Terminal
    from talos.report.disasm import disassembly_json, disassembly_lines

    terminal = Terminal(quiet=quiet, json_path=json_path)
    program = load_program(program_path)
    terminal.lines(disassembly_lines(program))
    terminal.write_json(disassembly_json(program))


def info_command(
    subject: Annotated[
        str, typer.Argument(metavar="PROGRAM|PRESET|FILE.json", help="A program, or a configuration.", show_default=False)
    ],
    json_path: JsonOption = None,
    quiet: QuietOption = False,
) -> None:
    """Describe a program (layers, memory, inputs and outputs) or a configuration (memories, interfaces).

    The JSON of a configuration is the file that --config reads.
    """
    from talos.cli.terminal import Terminal
    from talos.config import PRESETS, load_config
    from talos.report.info import config_lines, program_json, program_lines

    terminal = Terminal(quiet=quiet, json_path=json_path)
    path = Path(subject)
    if subject in PRESETS or path.suffix.lower() == ".json":
        config = load_config(subject)
        terminal.lines(config_lines(config))
        terminal.write_json(config.to_json())
        return
    if not path.exists():
        raise TalosError(f"{subject}: neither a file nor a preset ({', '.join(PRESETS)}); check the path")
    program = load_program(path)
    terminal.lines(program_lines(program))
    terminal.write_json(program_json(program))
