"""What becomes of a model: refused in one line, or compiled and compared with onnxruntime; never longer than a time limit."""

import faulthandler
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import FrameType

from talos.compiler.pipeline import Compiled, compile_model
from talos.config import PRESETS
from talos.errors import TalosError
from talos.model.checker import check_program
from talos.runtime.samples import load_samples
from talos.runtime.verify import verify
from tests.malformed.registry import Made, one_layer
from tests.quirks.registry import Network

__all__ = ["TimeLimit", "attempt", "compare", "refusal", "save", "time_limit"]

SECONDS = 10.0
"""For one small model; the slowest takes a tenth of a second."""


class TimeLimit(AssertionError):
    """Something took too long."""


@contextmanager
def time_limit(seconds: float = SECONDS) -> Iterator[None]:
    """Raises TimeLimit in the body after `seconds`; if that is stuck outside Python, ends the process with a traceback."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise TimeLimit(f"longer than {seconds} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    faulthandler.dump_traceback_later(6 * seconds, exit=True)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def save(made: Made, folder: Path) -> Path:
    """The model's file."""
    if isinstance(made, Path):
        return made
    model = made.model if isinstance(made, Network) else made
    path = folder / "net.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def attempt(path: Path, network: Network | None = None, *, host: bool = True) -> Compiled:
    """Compile within the time limit. Raises TalosError."""
    with time_limit():
        compiled = compile_model(path, PRESETS["4x4"], None if network is None else network.samples, host=host)
        check_program(compiled.program)
        return compiled


def refusal(error: TalosError, path: Path) -> str:
    """The message; AssertionError if it is no single line that names the file."""
    message = str(error)
    assert message.strip() and "\n" not in message, message
    assert path.name in message, message
    return message


@cache
def _warm_up() -> None:
    """Have the cycle model compiled, which happens at its first use and takes longer than the time limit."""
    with tempfile.TemporaryDirectory(prefix="talos-malformed-") as folder:
        compiled = compile_model(save(one_layer()[1], Path(folder)), PRESETS["4x4"])
    verify(compiled, load_samples(compiled.program, None, "random", 1), rtl_images=0)


def compare(compiled: Compiled, images: int = 2) -> None:
    """AssertionError if the program's results on random images are not onnxruntime's."""
    _warm_up()
    with time_limit():
        result = verify(compiled, load_samples(compiled.program, None, "random", images), rtl_images=0)
    assert result.equal, [output for output in result.outputs if output.mismatched_bytes]
