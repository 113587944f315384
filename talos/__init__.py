"""Talos: a systolic-array CNN accelerator, its exact models and its ONNX compiler.

    import talos

    program = talos.compile("net.onnx", "8x8", calibration="samples.npz")
    results = program.run(images)
    trace = talos.simulate(program)

The names below are loaded when they are first used, so `import talos` takes no time.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from talos.api.compile import compile
    from talos.api.placement import PlacementReport
    from talos.api.quantize import quantize
    from talos.api.run import Results
    from talos.api.session import InferenceSession
    from talos.api.simulate import simulate
    from talos.api.trace import Trace
    from talos.config import PRESETS, AcceleratorConfig
    from talos.errors import TalosError
    from talos.memory import MemoryTiming
    from talos.program import Program

__all__ = [
    "PRESETS", "AcceleratorConfig", "InferenceSession", "MemoryTiming", "PlacementReport", "Program", "Results", "TalosError", "Trace",
    "__version__", "compile", "quantize", "simulate",
]  # fmt: skip

__version__ = "0.1.0"

_HOMES = {
    "compile": "talos.api.compile",
    "PlacementReport": "talos.api.placement",
    "quantize": "talos.api.quantize",
    "Results": "talos.api.run",
    "InferenceSession": "talos.api.session",
    "simulate": "talos.api.simulate",
    "Trace": "talos.api.trace",
    "AcceleratorConfig": "talos.config",
    "PRESETS": "talos.config",
    "TalosError": "talos.errors",
    "MemoryTiming": "talos.memory",
    "Program": "talos.program",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'talos' has no attribute '{name}'")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
