"""talos generate"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from talos.cli.options import JsonOption, QuietOption, complete_config
from talos.errors import TalosError
from talos.targets.names import DEFAULT_CLOCK_MHZ, Target

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from talos.program import Program

__all__ = ["generate_command"]

DEFAULT_FOLDER = Path("rtl_out")


def generate_command(
    config: Annotated[
        str | None,
        typer.Option(
            "--config",
            "-c",
            metavar="PRESET|FILE.json",
            help="One configuration (default: the program's, or all presets).",
            autocompletion=complete_config,
        ),
    ] = None,
    target: Annotated[
        Target,
        typer.Option(
            "--target",
            "-t",
            help="verilog: Verilog and its description; vivado: also scripts that package it as an IP; litex: also a LiteX module.",
        ),
    ] = Target.VERILOG,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="Folder to write to; made if need be.")
    ] = DEFAULT_FOLDER,
    program_path: Annotated[
        Path | None,
        typer.Option(
            "--program", "-p", metavar="PROGRAM.talos", help="Also write a self-checking bench (DIR/tb) that runs this program."
        ),
    ] = None,
    input_path: Annotated[
        Path | None,
        typer.Option(
            "--input", "-i", metavar="X.npy|X.npz", help="Images of the bench's golden vectors (default: a random one)."
        ),
    ] = None,
    images: Annotated[int, typer.Option("--images", min=1, help="How many of the images.")] = 1,
    clock_mhz: Annotated[
        float, typer.Option("--clock-mhz", min=1, max=2000, help="Clock of the constraints (target vivado).")
    ] = DEFAULT_CLOCK_MHZ,
    json_path: JsonOption = None,
    quiet: QuietOption = False,
) -> None:
    """Write the accelerator's Verilog with a JSON description of its ports and registers, or files that drop into an FPGA tool."""
    from talos.cli.sources import load_program
    from talos.cli.terminal import Terminal
    from talos.config import PRESETS, load_config
    from talos.program import write_atomically
    from talos.targets.export import target_files

    terminal = Terminal(quiet=quiet, json_path=json_path)
    program = None if program_path is None else load_program(program_path)
    if config is not None:
        configs = [load_config(config)]
    elif program is not None:
        configs = [program.config]
    elif target is Target.VERILOG:
        configs = list(PRESETS.values())
    else:
        raise TalosError(f"--target {target.value} is for one configuration; name it with --config (or with --program)")
    if input_path is not None and program is None:
        raise TalosError("--input belongs to the bench of a program; name that with --program")
    runs = [] if program is None else _runs(program, input_path, images)
    files = []
    with terminal.progress() as progress:
        for index, accelerator in enumerate(configs):
            progress(f"generating {accelerator.name}", index, len(configs))
            for name, text in target_files(target, accelerator, clock_mhz=clock_mhz, program=program, runs=runs).items():
                path = output / name
                _make_folder(path.parent)
                data = text.encode()
                write_atomically(path, lambda file, data=data: file.write(data))
                files.append({"path": str(path), "config": accelerator.name, "config_hash": accelerator.hash, "bytes": len(data)})
    for file in files:
        terminal.line(f"{file['path']}: {file['bytes']:,} bytes")
    terminal.write_json({"target": target.value, "files": files})


def _runs(program: "Program", input_path: Path | None, images: int) -> "list[dict[str, NDArray[np.int8]]]":
    """Input codes of each start of the core: so many images, a batch at a time."""
    from talos.cli.sources import optional_arrays
    from talos.runtime.execute import HostParts, input_tensors, stack_batch
    from talos.runtime.samples import load_samples

    samples = load_samples(program, optional_arrays(input_path), str(input_path), images)
    host = HostParts(program)
    codes = [input_tensors(program, host.prepare(image)) for image in samples.inputs]
    return [stack_batch(program, codes[start : start + program.batch]) for start in range(0, len(codes), program.batch)]


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TalosError(f"{folder}: this folder cannot be made ({error.strerror}); choose another with -o") from error
