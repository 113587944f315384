"""From the arguments of a command to models, programs and samples."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from talos.errors import TalosError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from talos.compiler.pipeline import Compiled
    from talos.config import AcceleratorConfig
    from talos.program import Program
    from talos.runtime.progress import Progress

__all__ = ["DEFAULT_CONFIG", "compile_file", "find_program", "is_onnx", "load_program", "optional_arrays", "sample_file"]

DEFAULT_CONFIG = "8x8"


def is_onnx(path: Path) -> bool:
    """Whether `path` is taken as an ONNX model (by its suffix) and not as a program."""
    return path.suffix.lower() == ".onnx"


def optional_arrays(path: Path | None) -> "dict[str, NDArray[Any]] | None":
    """As `talos.runtime.samples.read_arrays`; None for no path."""
    from talos.runtime.samples import read_arrays

    return None if path is None else read_arrays(path)


def compile_file(
    model: Path,
    config: "AcceleratorConfig",
    calibrate: "dict[str, NDArray[Any]] | None",
    *,
    layers: bool = False,
    host: bool = True,
    batch: int | None = 1,
    progress: "Progress" = lambda stage, done, total: None,
) -> "Compiled":
    """Compile and prove the program free of races and deadlock; see `compile_model` for the options.

    Raises TalosError; without `host` also if something would run there.
    """
    from talos.compiler.pipeline import compile_model
    from talos.model.checker import check_program

    progress(f"compiling {model.name}", 0, 0)
    compiled = compile_model(model, config, calibrate, layers=layers, host=host, batch=batch, progress=progress)
    check_program(compiled.program, progress)
    return compiled


def load_program(path: Path) -> "Program":
    """The program in the file at `path`. Raises TalosError, with advice if it is a model."""
    from talos.program import Program

    if is_onnx(path):
        raise TalosError(
            f"{path}: this is a model, not a program; compile it first: talos compile {path} -o {path.with_suffix('.talos')}"
        )
    return Program.load(path)


def find_program(path: Path, config: str | None, calibrate: Path | None, *, no_host: bool, progress: "Progress") -> "Program":
    """The program in the file at `path`, or the model there compiled: for commands that take either. Raises TalosError.

    `config` is that of the model, DEFAULT_CONFIG if None; for a program it must be its own.
    """
    from talos.config import load_config
    from talos.report.placement import host_line

    if is_onnx(path):
        accelerator = load_config(config or DEFAULT_CONFIG)
        return compile_file(path, accelerator, optional_arrays(calibrate), host=not no_host, progress=progress).program
    if calibrate is not None:
        raise TalosError(f"{path}: --calibrate is for models; a program is quantized already: leave it out")
    program = load_program(path)
    if no_host and program.host:
        raise TalosError(f"{path}: {host_line(program)}; --no-host forbids that: compile the model with it")
    if config is not None:
        program.require_config(load_config(config), "the accelerator asked for with --config")
    return program


def sample_file(model: Path) -> Path | None:
    """The sample data that travel with a model: MODEL.npz beside MODEL.onnx, if it exists."""
    path = model.with_suffix(".npz")
    return path if path.is_file() else None
