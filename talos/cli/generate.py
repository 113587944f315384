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
            help="verilog: Verilog and its description; vivado: also scripts that package it as an IP; litex: also a LiteX module; "
            "ecp5-board: a bitstream for the ULX3S-85F with memory and a UART.",
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
        float | None,
        typer.Option(
            "--clock-mhz",
            min=1,
            max=2000,
            help="Clock of the constraints (target vivado, default 100) or of the core (ecp5-board: a multiple of 12.5, default 50).",
            show_default=False,
        ),
    ] = None,
    ram_kib: Annotated[int, typer.Option("--ram-kib", min=4, help="Memory on the FPGA (target ecp5-board).")] = 128,
    baud: Annotated[int, typer.Option("--baud", min=9600, help="Of the UART (target ecp5-board).")] = 1_000_000,
    bitstream: Annotated[
        bool, typer.Option("--bitstream/--no-bitstream", help="Build the bitstream, minutes (target ecp5-board).")
    ] = True,
    seed: Annotated[int, typer.Option("--seed", min=1, help="Of the placement (target ecp5-board).")] = 1,
    json_path: JsonOption = None,
    quiet: QuietOption = False,
) -> None:
    """Write the accelerator's Verilog with a JSON description of its ports and registers, or files that drop into an FPGA tool."""
    from talos.board import Board
    from talos.cli.sources import load_program
    from talos.cli.terminal import Terminal
    from talos.config import PRESETS, load_config
    from talos.program import write_atomically
    from talos.synth.bitstream import build_bitstream
    from talos.targets.ecp5_board import BOARD_NAME, board_constraints
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
    board = None
    if target is Target.ECP5_BOARD:
        if program is not None:
            raise TalosError("--program is for targets with a bench; run the program on the board from Python, see its README.md")
        board = Board(
            config=configs[0],
            clock_mhz=clock_mhz or DEFAULT_CLOCK_MHZ[target],
            ram_bytes=ram_kib << 10,
            baud=baud,
        )
    runs = [] if program is None else _runs(program, input_path, images)
    files = []
    built = None
    with terminal.progress() as progress:
        for index, accelerator in enumerate(configs):
            progress(f"generating {accelerator.name}", index, len(configs))
            for name, text in target_files(
                target, accelerator, board=board, clock_mhz=clock_mhz, program=program, runs=runs
            ).items():
                path = output / name
                _make_folder(path.parent)
                data = text.encode()
                write_atomically(path, lambda file, data=data: file.write(data))
                files.append({"path": str(path), "config": accelerator.name, "config_hash": accelerator.hash, "bytes": len(data)})
        if board is not None and bitstream:
            built = build_bitstream(board, board_constraints(), output / f"{BOARD_NAME}.bit", seed=seed, progress=progress)
    for file in files:
        terminal.line(f"{file['path']}: {file['bytes']:,} bytes")
    values: dict[str, object] = {"target": target.value, "files": files}
    if built is not None:
        taken = built.resources
        terminal.line(f"{built.path}: {built.bytes:,} bytes, built in {built.seconds:.0f} s")
        terminal.line(
            f"{built.fmax_mhz:g} MHz after routing; {taken.lut:,g} LUT, {taken.ff:,g} FF, {taken.dsp:,g} DSP, {taken.bram:,g} block RAM"
        )
        values |= built.to_json()
    terminal.write_json(values)


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
