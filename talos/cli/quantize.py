"""talos quantize"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from talos.cli.options import JsonOption, QuietOption

if TYPE_CHECKING:
    from talos.compiler.quantization.quantize import QuantizationOptions, Quantized

__all__ = ["quantize_command"]


def quantize_command(
    model: Annotated[Path, typer.Argument(metavar="MODEL.onnx", help="Float ONNX model.", show_default=False)],
    calibrate: Annotated[
        Path,
        typer.Option(
            "--calibrate",
            metavar="DATA.npz|FOLDER",
            help="Samples: an array per input, named after it (one input: also 'calibrate' or 'x'), or a folder of such files.",
            show_default=False,
        ),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="OUT.onnx", help="File to write.", show_default=False)],
    method: Annotated[
        str, typer.Option("--method", metavar="minmax|entropy|percentile", help="How ranges are found from the samples.")
    ] = "minmax",
    percentile: Annotated[
        float | None,
        typer.Option("--percentile", metavar="P", help="Share of the values kept, for --method percentile (default: 99.99)."),
    ] = None,
    per_tensor: Annotated[
        bool, typer.Option("--per-tensor", help="One scale for all weights of a layer, not one per output channel.")
    ] = False,
    exclude: Annotated[
        list[str] | None, typer.Option("--exclude", metavar="NODE", help="Leave this node float. May be repeated.")
    ] = None,
    samples: Annotated[
        int | None, typer.Option("--samples", metavar="N", min=1, help="Use the first N samples (default: all).")
    ] = None,
    json_path: JsonOption = None,
    quiet: QuietOption = False,
) -> None:
    """Quantize a float model to int8: an ordinary QDQ model, which runs anywhere and compiles here."""
    from talos.cli.terminal import Terminal, require_writable
    from talos.compiler.quantization.quantize import QuantizationOptions, quantize_file
    from talos.errors import TalosError
    from talos.runtime.samples import read_arrays

    terminal = Terminal(quiet=quiet, json_path=json_path)
    require_writable(output)
    if percentile is not None and method != "percentile":
        raise TalosError("--percentile has a meaning only with --method percentile")
    options = QuantizationOptions(
        method=method,
        percentile=99.99 if percentile is None else percentile,
        per_channel=not per_tensor,
        exclude=tuple(exclude or ()),
        samples=samples,
    )
    with terminal.progress() as progress:
        progress(f"reading {calibrate}", 0, 0)
        arrays = read_arrays(calibrate)
        result = quantize_file(model, arrays, options, progress)
    size = result.save(output)
    kinds, kept = ", ".join(f"{count} {kind}" for kind, count in _counts(result).items()), ", ".join(result.kept_float)
    terminal.line(f"{output}: {model.name} quantized with {result.samples} samples ({method}), {size:,} bytes")
    terminal.line(f"  quantized: {len(result.quantized)} nodes ({kinds})")
    terminal.line(f"  stays float: {kept or 'nothing'}")
    terminal.line(f"  folded away: {len(result.folded)} nodes")
    terminal.write_json(_summary(model, output, options, result))


def _counts(result: "Quantized") -> dict[str, int]:
    counts: dict[str, int] = {}
    for kind in result.quantized.values():
        counts[kind] = counts.get(kind, 0) + 1
    return dict(sorted(counts.items()))


def _summary(model: Path, output: Path, options: "QuantizationOptions", result: "Quantized") -> dict[str, Any]:
    from talos import __version__

    return {
        "model": str(model),
        "output": str(output),
        "version": __version__,
        "method": options.method,
        "percentile": options.percentile if options.method == "percentile" else None,
        "per_channel": options.per_channel,
        "samples": result.samples,
        "quantized": [{"node": node, "op": kind} for node, kind in result.quantized.items()],
        "float": [{"node": node, "op": kind} for node, kind in result.kept_float.items()],
        "folded": [{"node": node, "op": kind} for node, kind in result.folded.items()],
    }
