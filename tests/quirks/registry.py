"""The list of quirks: each a function that builds a network, with a name, a description and what is expected of it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy.typing as npt
import onnx

__all__ = ["QUIRKS", "Allowance", "Network", "Quirk", "quirk"]


@dataclass(frozen=True)
class Network:
    """A model as an exporter writes it.

    samples: {input: float32 (n, …)} to calibrate with, for a float model; None for a quantized one.
    reach: float inputs of a quantized model are drawn from ±reach.
    external: the weights lie in a file of their own.
    """

    model: onnx.ModelProto
    samples: dict[str, npt.NDArray[Any]] | None = None
    reach: float = 4.2
    external: bool = False


@dataclass(frozen=True)
class Allowance:
    """Where onnxruntime itself computes in float: at most one code, in at most `share` of the values, for `reason`."""

    share: float
    reason: str


@dataclass(frozen=True)
class Quirk:
    """One network and what must come of it.

    host: the operators that may run on the host, and then must: all others run on the accelerator.
    noise: for a float model, the largest RMS error of the quantized model against it, as a share of the RMS of its results.
    """

    name: str
    description: str
    build: Callable[[], Network]
    host: frozenset[str]
    noise: float
    allowance: Allowance | None


QUIRKS: dict[str, Quirk] = {}
"""All quirks by name, filled when their modules are imported."""


def quirk(
    description: str, *, name: str = "", host: tuple[str, ...] = (), noise: float = 0.1, allowance: Allowance | None = None
) -> Callable[[Callable[[], Network]], Callable[[], Network]]:
    """Registers the function under its own name, or `name`. Raises ValueError if it is taken."""

    def register(build: Callable[[], Network]) -> Callable[[], Network]:
        key = name or build.__name__
        if key in QUIRKS:
            raise ValueError(f"two quirks are called {key}")
        QUIRKS[key] = Quirk(key, description, build, frozenset(host), noise, allowance)
        return build

    return register
