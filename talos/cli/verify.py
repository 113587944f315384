"""talos verify"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from talos.cli.options import CalibrateOption, ConfigOption, InputOption, JsonOption, MemoryOption, NoHostOption, QuietOption
from talos.cli.sources import DEFAULT_CONFIG, compile_file, optional_arrays, sample_file
from talos.errors import TalosError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from talos.program import Program
    from talos.runtime.samples import Samples

__all__ = ["verify_command"]

UNEQUAL = 1


def verify_command(
    model: Annotated[Path, typer.Argument(metavar="MODEL.onnx", help="Float or quantized (QDQ) ONNX model.", show_default=False)],
    config: ConfigOption = DEFAULT_CONFIG,
    calibrate: CalibrateOption = None,
    input_path: InputOption = None,
    images: Annotated[
        int | None, typer.Option("--images", metavar="N", min=1, help="Use the first N images (default: all).")
    ] = None,
    rtl_images: Annotated[
        int, typer.Option("--rtl-images", metavar="K", min=0, help="Of these, run the first K on the Verilog.")
    ] = 1,
    layers: Annotated[
        bool, typer.Option("--layers", help="Also compare every layer's tensor with onnxruntime and name the first that differs.")
    ] = False,
    waves: Annotated[
        Path | None,
        typer.Option(
            "--waves",
            metavar="W.fst|W.vcd",
            help="Record all signals of the Verilog's runs, and write save files for GTKWave (.gtkw) and Surfer (.sucl) beside it.",
        ),
    ] = None,
    memory: MemoryOption = "",
    no_host: NoHostOption = False,
    json_path: JsonOption = None,
    quiet: QuietOption = False,
) -> None:
    """Compile a model, run it on all backends, and compare with onnxruntime and with each other.

    Without --input and --calibrate the data are those beside the model (MODEL.npz) or, where there are none, random. The exit status is 0
    only if everything that must be equal is equal, and 1 if something is not.
    """
    from talos.cli.terminal import Terminal, require_writable
    from talos.compiler.reading.load import is_quantized, load_model
    from talos.config import load_config
    from talos.memory import MemoryTiming
    from talos.report.layer_check import layer_check_table, layer_check_verdict
    from talos.report.placement import host_line
    from talos.report.results import verification_json
    from talos.report.tables import layer_table, verdict
    from talos.report.wave_views import write_save_files
    from talos.runtime.verify import verify
    from talos.runtime.waves import wave_format

    terminal = Terminal(quiet=quiet, json_path=json_path)
    accelerator = load_config(config)
    timing = MemoryTiming.parse(memory)
    if waves is not None:
        wave_format(waves)
        require_writable(waves)
        if not rtl_images:
            raise TalosError(f"{waves}: there are no waves without the Verilog; leave --rtl-images 0 out")
    with terminal.progress() as progress:
        progress(f"compiling {model.name}", 0, 0)
        original = load_model(model)
        beside = sample_file(model)
        compiled = compile_file(
            model, accelerator, optional_arrays(calibrate or beside), layers=layers, host=not no_host, progress=progress
        )
        samples = _samples(compiled.program, input_path or beside or calibrate, images)
        if rtl_images > len(samples.inputs):
            terminal.line(f"note: only {len(samples.inputs)} images for the Verilog, not {rtl_images}")
        result = verify(
            compiled,
            samples,
            rtl_images=rtl_images,
            memory=timing,
            waves=waves,
            float_model=None if is_quantized(original) else original.SerializeToString(),
            progress=progress,
        )
    program = compiled.program
    terminal.line(f"{model} on {program.config.name} ({program.config.peak_macs} MACs per cycle), images: {samples.source}")
    on_host = host_line(program)
    if on_host is not None:
        terminal.line(f"{on_host}; 'talos compile --report' says why")
    terminal.line()
    terminal.show(layer_table(result, terminal.width), "", *verdict(result))
    if result.layer_check is not None:
        terminal.show("", layer_check_table(result.layer_check), "", *layer_check_verdict(result.layer_check))
    if waves is not None:
        saved = write_save_files(waves, accelerator)
        terminal.line(f"waves in {waves}: gtkwave {saved[0]}, or surfer -c {saved[1]} {waves}")
    terminal.write_json(verification_json(result, str(model)))
    if not result.equal:
        raise typer.Exit(UNEQUAL)


def _samples(program: "Program", path: Path | None, count: int | None) -> "Samples":
    from talos.runtime.samples import load_samples

    arrays: dict[str, NDArray[Any]] | None = optional_arrays(path)
    return load_samples(program, arrays, str(path), count)
