"""talos report"""

from pathlib import Path
from typing import Annotated

import typer

from talos.cli.options import CalibrateOption, ConfigOption, JsonOption, MemoryOption, NoHostOption, QuietOption
from talos.cli.sources import DEFAULT_CONFIG, compile_file, optional_arrays, sample_file

__all__ = ["report_command"]


def report_command(
    model: Annotated[Path, typer.Argument(metavar="MODEL.onnx", help="Float or quantized (QDQ) ONNX model.", show_default=False)],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="REPORT.html", help="File to write.", show_default=False)],
    config: ConfigOption = DEFAULT_CONFIG,
    calibrate: CalibrateOption = None,
    data: Annotated[
        Path | None,
        typer.Option(
            "--data",
            "-d",
            metavar="D.npz|FOLDER",
            help="Images to compare with onnxruntime, as for 'talos verify'; labels in 'y' give the accuracy (default: MODEL.npz, if it exists).",
        ),
    ] = None,
    images: Annotated[
        int | None, typer.Option("--images", metavar="N", min=1, help="Use the first N images (default: all).")
    ] = None,
    memory: MemoryOption = "",
    mhz: Annotated[float, typer.Option("--mhz", metavar="F", min=0.001, help="Clock that times are given at.")] = 100.0,
    no_host: NoHostOption = False,
    json_path: JsonOption = None,
    quiet: QuietOption = False,
) -> None:
    """Write one HTML page about a compiled network: placement, roofline, layers, timeline, memory, DRAM traffic, accuracy.

    The page needs no network and no other file. Cycles are those of the cycle model. Needs plotly.
    """
    from talos.cli.terminal import Terminal, require_writable
    from talos.compiler.reading.load import is_quantized, load_model
    from talos.config import load_config
    from talos.memory import MemoryTiming
    from talos.program import write_atomically
    from talos.report.html.plotting import require_plotly

    terminal = Terminal(quiet=quiet, json_path=json_path)
    require_plotly()
    require_writable(output)
    accelerator = load_config(config)
    timing = MemoryTiming.parse(memory)

    from talos.report.html.data import collect
    from talos.report.html.numbers import report_json
    from talos.report.html.page import render_page
    from talos.runtime.samples import load_samples

    with terminal.progress() as progress:
        progress(f"compiling {model.name}", 0, 0)
        original = load_model(model)
        beside = sample_file(model)
        compiled = compile_file(model, accelerator, optional_arrays(calibrate or beside), host=not no_host)
        source = data or beside
        found = collect(
            compiled,
            str(model),
            memory=timing,
            samples=None if source is None else load_samples(compiled.program, optional_arrays(source), str(source), images),
            float_model=None if is_quantized(original) else original.SerializeToString(),
            progress=progress,
        )
        progress("writing the page", 0, 0)
        page = render_page(found, mhz).encode()
        write_atomically(output, lambda file: file.write(page))
    terminal.line(
        f"{output}: {model.name} on {compiled.program.config.name}, {found.timing.cycles:,} cycles, {len(page) / 1e6:.1f} MB"
    )
    terminal.write_json(report_json(found, mhz))
