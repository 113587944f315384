"""talos.quantize"""

from collections.abc import Sequence

from talos.api.sources import Data, Model, model_file, sample_arrays
from talos.compiler.quantization.quantize import QuantizationOptions, Quantized, quantize_file
from talos.errors import TalosError
from talos.runtime.progress import Progress, silent

__all__ = ["quantize"]


def quantize(
    model: Model,
    calibration: Data,
    *,
    method: str = "minmax",
    percentile: float = 99.99,
    per_channel: bool = True,
    exclude: Sequence[str] = (),
    samples: int | None = None,
    progress: Progress = silent,
) -> Quantized:
    """Quantize a float model to int8: an ordinary QDQ model of one image, which runs anywhere and compiles here.

    `result.model` is the `onnx.ModelProto`, `result.save(path)` writes it. method: "minmax", "entropy" or "percentile", the last with
    `percentile` (percent of the values kept). per_channel: a scale for each output channel of the weights. exclude: names of nodes that
    stay float. samples: use the first so many. Raises TalosError.
    """
    arrays = sample_arrays(calibration)
    if not arrays:
        raise TalosError("quantization needs samples; pass calibration=ARRAY or a file")
    options = QuantizationOptions(method, percentile, per_channel, tuple(exclude), samples)
    with model_file(model) as path:
        return quantize_file(path, arrays, options, progress)
