"""talos.compile"""

from talos.api.sources import Config, Data, Model, find_config, model_file, sample_arrays
from talos.compiler.pipeline import compile_model
from talos.model.checker import check_program
from talos.program import Program

__all__ = ["compile"]


def compile(
    model: Model, config: Config = "8x8", calibration: Data | None = None, *, batch: int | None = 1, host: bool = True
) -> Program:
    """Compile an ONNX model for an accelerator, and prove the program free of races and deadlock.

    Parameters
    ----------
    model
        A file, serialized bytes, an `onnx.ModelProto`, or what `talos.quantize` returned.
    config
        A preset ("4x4", "8x8", "8x16", "16x16", "32x32"), a JSON file, or an `AcceleratorConfig`.
    calibration
        Samples to quantize a float model with: a file, a folder, an array (n, …), or arrays by the inputs' names. A quantized model
        needs none.
    batch
        Images that one run takes; None: as many as the model is written for.
    host
        Whether what the accelerator cannot run may run on the host; otherwise it is an error.

    Raises TalosError, one line with the node and what to do, for anything that cannot be compiled.
    """
    with model_file(model) as path:
        compiled = compile_model(path, find_config(config), sample_arrays(calibration), host=host, batch=batch)
    check_program(compiled.program)
    return compiled.program
