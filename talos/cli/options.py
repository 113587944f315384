"""Options that several commands share, and the look of their examples."""

from pathlib import Path
from typing import Annotated

import typer

__all__ = [
    "CalibrateOption", "ConfigOption", "InputOption", "JsonOption", "MemoryOption", "NoHostOption", "ProgramConfigOption", "QuietOption",
    "complete_config", "examples",
]  # fmt: skip


def complete_config(incomplete: str) -> list[str]:
    """Presets and JSON files that begin with `incomplete`, for the shell's completion."""
    from talos.config import PRESETS

    folder = Path(incomplete).parent
    start = "" if incomplete.endswith("/") else Path(incomplete).name
    files = (str(path) for path in sorted(folder.glob("*.json")) if path.name.startswith(start))
    return [*(name for name in PRESETS if name.startswith(incomplete)), *files]


ConfigOption = Annotated[
    str,
    typer.Option(
        "--config",
        "-c",
        metavar="PRESET|FILE.json",
        help="Preset (4x4, 8x8, 8x16, 16x16, 32x32) or JSON file.",
        autocompletion=complete_config,
    ),
]
ProgramConfigOption = Annotated[
    str | None,
    typer.Option(
        "--config",
        "-c",
        metavar="PRESET|FILE.json",
        help="Configuration of the accelerator (default: 8x8; of a program: its own).",
        autocompletion=complete_config,
    ),
]
CalibrateOption = Annotated[
    Path | None,
    typer.Option(
        "--calibrate",
        metavar="DATA.npz|FOLDER",
        help="Samples to quantize a float model with: an array per input, named after it (one input: also 'calibrate' or 'x'), or a folder "
        "of such files.",
    ),
]
InputOption = Annotated[
    Path | None,
    typer.Option(
        "--input",
        "-i",
        metavar="X.npy|X.npz|FOLDER",
        help="Images: an array (n, …) per input, named after it (one input: also 'x'); labels in 'y', if any.",
    ),
]
MemoryOption = Annotated[
    str,
    typer.Option(
        "--memory",
        metavar="NAME=N,…",
        help="DRAM of the simulation: latency (cycles), bytes_per_cycle (0: one beat), outstanding (bursts), stall, seed.",
    ),
]
JsonOption = Annotated[
    Path | None, typer.Option("--json", metavar="FILE|-", help="Write the result as JSON; - is standard output.")
]
NoHostOption = Annotated[
    bool, typer.Option("--no-host", help="Refuse the model if the accelerator cannot run all of it, instead of using the host.")
]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")]


def examples(*commands: str) -> str:
    """An epilogue for `--help`; the blank lines keep the help formatter from joining the commands."""
    return "\n\n".join(["[bold]Examples[/bold]", *(f"$ {command}" for command in commands)])
