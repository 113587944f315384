"""talos evaluate"""

from pathlib import Path
from typing import Annotated

import typer

from talos.cli.options import CalibrateOption, ConfigOption, JsonOption, QuietOption
from talos.cli.sources import DEFAULT_CONFIG, compile_file, optional_arrays, sample_file

__all__ = ["evaluate_command"]


def evaluate_command(
    model: Annotated[Path, typer.Argument(metavar="MODEL.onnx", help="Float or quantized ONNX model.", show_default=False)],
    data: Annotated[
        Path,
        typer.Option(
            "--data",
            "-d",
            metavar="D.npz|FOLDER",
            help="Labelled images: an array (n, …) per input, named after it (one input: also 'x'), and the labels 'y'.",
            show_default=False,
        ),
    ],
    calibrate: CalibrateOption = None,
    config: ConfigOption = DEFAULT_CONFIG,
    images: Annotated[
        int | None, typer.Option("--images", metavar="N", min=1, help="Use the first N images (default: all).")
    ] = None,
    no_float: Annotated[bool, typer.Option("--no-float", help="Do not run the float model.")] = False,
    json_path: JsonOption = None,
    quiet: QuietOption = False,
) -> None:
    """Measure a network on labelled data: as float model, quantized in onnxruntime, and on Talos's functional model.

    Prints accuracy, precision, recall, F1 and confusion matrices, and how far Talos and onnxruntime agree. A float model is quantized with
    the samples in --calibrate or, without it, those beside the model (MODEL.npz). Needs scikit-learn.
    """
    from talos.cli.terminal import Terminal
    from talos.compiler.reading.load import is_quantized, load_model
    from talos.config import load_config
    from talos.report.evaluation import evaluation_json, evaluation_report
    from talos.runtime.evaluate import evaluate, require_labels
    from talos.runtime.metrics import require_scikit_learn
    from talos.runtime.samples import load_samples, read_arrays

    terminal = Terminal(quiet=quiet, json_path=json_path)
    require_scikit_learn()
    accelerator = load_config(config)
    arrays = read_arrays(data)
    with terminal.progress() as progress:
        progress(f"compiling {model.name}", 0, 0)
        original = load_model(model)
        compiled = compile_file(model, accelerator, optional_arrays(calibrate or sample_file(model)), progress=progress)
        samples = load_samples(compiled.program, arrays, str(data), images)
        require_labels(samples, arrays)
        result = evaluate(
            compiled,
            samples,
            float_model=None if no_float or is_quantized(original) else original.SerializeToString(),
            progress=progress,
        )
    terminal.line(f"{model} on {compiled.program.config.name}: {result.images:,} images from {result.source}")
    terminal.line()
    terminal.show(*evaluation_report(result))
    terminal.write_json(evaluation_json(result, str(model)))
