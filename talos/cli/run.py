"""talos run"""

import enum
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO

import typer

from talos.cli.options import CalibrateOption, JsonOption, MemoryOption, NoHostOption, ProgramConfigOption, QuietOption
from talos.cli.sources import find_program, optional_arrays
from talos.errors import TalosError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["run_command"]

_SHOWN = 20  # images listed one by one


class Backend(enum.StrEnum):
    """What executes the program."""

    MODEL = "model"
    RTL = "rtl"


def run_command(
    program_path: Annotated[
        Path,
        typer.Argument(metavar="PROGRAM|MODEL.onnx", help="A compiled program, or a model to compile first.", show_default=False),
    ],
    input_path: Annotated[
        Path,
        typer.Option(
            "--input",
            "-i",
            metavar="X.npy|X.npz|FOLDER",
            help="One image or n of them: an array per input, named after it (one input: also 'x'); labels in 'y', if any.",
            show_default=False,
        ),
    ],
    config: ProgramConfigOption = None,
    calibrate: CalibrateOption = None,
    backend: Annotated[
        Backend, typer.Option("--backend", "-b", help="model: functional and cycle model; rtl: the generated Verilog.")
    ] = Backend.MODEL,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="Y.npy|Y.npz", help="File for the results (n, …); .npz if there are several."),
    ] = None,
    memory: MemoryOption = "",
    no_host: NoHostOption = False,
    json_path: JsonOption = None,
    quiet: QuietOption = False,
) -> None:
    """Run images through a program, on the models or on the generated Verilog."""
    from talos.cli.terminal import Terminal, require_writable
    from talos.memory import MemoryTiming
    from talos.runtime.classes import predicted_class
    from talos.runtime.samples import load_samples
    from talos.runtime.session import join_results, run_images

    terminal = Terminal(quiet=quiet, json_path=json_path)
    timing = MemoryTiming.parse(memory)
    if output is not None:
        require_writable(output)
    with terminal.progress() as progress:
        program = find_program(program_path, config, calibrate, no_host=no_host, progress=progress)
    if output is not None and output.suffix != ".npz" and len(program.results) > 1:
        raise TalosError(f"{output}: the model has {len(program.results)} results; name a file that ends in .npz")
    samples = load_samples(program, optional_arrays(input_path), str(input_path), None)
    with terminal.progress() as progress:
        runs = run_images(
            program, samples.inputs, backend="verilator" if backend is Backend.RTL else "model", memory=timing, progress=progress
        )
    results = [run.results for run in runs]
    if output is not None:
        _save(output, join_results(program, runs))

    classes = [predicted_class(result) for result in results]
    batch = f" with a batch of {program.batch}" if program.batch > 1 else ""
    for index, run in enumerate(runs[:_SHOWN]):
        words = [f"image {index}: {run.cycles:,} cycles{batch}"]
        if classes[index] is not None:
            words.append(f"class {classes[index]}")
            if samples.labels is not None:
                words.append(f"label {samples.labels[index]}")
        terminal.line(", ".join(words))
    if len(runs) > _SHOWN:
        terminal.line(f"… and {len(runs) - _SHOWN} more images")
    right = None
    if samples.labels is not None and None not in classes:
        right = sum(int(found == label) for found, label in zip(classes, samples.labels, strict=True))
        terminal.line(f"{right} of {len(classes)} classes equal the labels ({right / len(classes):.2%})")
    if output is not None:
        terminal.line(f"results written to {output}")
    terminal.write_json(
        {
            "program": str(program_path),
            "config": program.config.name,
            "config_hash": program.config.hash,
            "backend": backend.value,
            "images": len(runs),
            "batch": program.batch,
            "cycles": [run.cycles for run in runs],
            "classes": None if None in classes else classes,
            "accuracy": None if right is None else right / len(classes),
            "output": None if output is None else str(output),
            "results": {name: {"shape": list(value.shape), "dtype": str(value.dtype)} for name, value in results[0].items()},
        }
    )


def _save(path: Path, joined: "dict[str, NDArray[Any]]") -> None:
    """All images' results: one .npy, or an .npz with an array per result."""
    import numpy as np

    from talos.program import write_atomically

    if path.suffix == ".npz":

        def write(file: BinaryIO) -> None:
            with zipfile.ZipFile(file, "w") as archive:  # np.savez has arguments of its own, which could be names of results
                for name, array in joined.items():
                    with archive.open(f"{name}.npy", "w") as member:
                        np.lib.format.write_array(member, array, allow_pickle=False)

        write_atomically(path, write)
    else:
        write_atomically(path, lambda file: np.save(file, next(iter(joined.values()))))
