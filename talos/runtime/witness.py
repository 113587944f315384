"""Talos against onnxruntime: the quantized model's values beside the program's, byte by byte."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from talos.compiler.pipeline import Compiled
from talos.compiler.reading.expose_values import expose_values
from talos.errors import TalosError
from talos.runtime.execute import HostParts
from talos.runtime.golden import GoldenModel

__all__ = ["OutputComparison", "Witness"]

Arrays = dict[str, NDArray[Any]]
Codes = dict[str, NDArray[np.int8]]

_LARGE = float(np.finfo(np.float32).max)  # stands for a difference that is not finite


@dataclass
class OutputComparison:
    """One value compared over all images.

    kind: "codes" for what the accelerator makes (one byte an element; `max_difference` in codes), "values" for what a host part makes
    (the bytes of its ONNX type; `max_difference` in its own unit).
    """

    name: str
    kind: str
    bytes: int = 0
    mismatched_bytes: int = 0
    max_difference: float = 0

    def add(self, mismatched: int, total: int, difference: float) -> None:
        """Count one image."""
        self.bytes += total
        self.mismatched_bytes += mismatched
        self.max_difference = max(self.max_difference, difference)


class Witness:
    """onnxruntime with the quantized model of `compiled`, and the comparison of all images given to `compare`. `host` is Talos's side.

    Compared are the graph's outputs and every tensor that the accelerator hands to a host part.
    """

    def __init__(self, compiled: Compiled) -> None:
        self._program = compiled.program
        self.host = HostParts(compiled.program)
        self._specs = {port.spec.name: port.spec for port in self._program.outputs}
        inner = [name for name in self._specs if name not in self._program.results]
        self._golden = GoldenModel(compiled.quantized_model)
        # Apart from the model itself: a value that is an output too may be computed by other kernels behind it.
        self._inner = GoldenModel(expose_values(compiled.quantized_model, inner)) if inner else None
        names = [*inner, *self._program.results]
        self.outputs = {name: OutputComparison(name, "codes" if name in self._specs else "values") for name in names}

    def compare(self, values: Arrays, codes: Codes) -> tuple[Arrays, Arrays]:
        """Compare one image's output tensors; the graph's outputs as Talos and as onnxruntime have them.

        `values` is what `host.prepare` makes of the image.
        """
        ours = self.host.finish(codes, values)
        theirs = self._golden.run(values)
        inner = self._inner.run(values) if self._inner else {}
        for name, comparison in self.outputs.items():
            expected = theirs[name] if name in theirs else inner[name]
            if comparison.kind == "codes":
                spec = self._specs[name]
                _require_same_form(name, spec.from_tensor(codes[name]), expected)
                # Values, not codes, are what must be equal: quantizing onnxruntime's could hide that they lie off the grid.
                wrong = int(np.count_nonzero(spec.from_tensor(codes[name]) != expected))
                distance = np.abs(codes[name].astype(np.int16) - spec.to_tensor(expected))
                comparison.add(wrong, expected.size, int(distance.max(initial=0)))
            else:
                _require_same_form(name, ours[name], expected)
                wrong = int(np.count_nonzero(_bytes(ours[name]) != _bytes(expected)))
                with np.errstate(invalid="ignore"):  # infinity less infinity
                    distance = np.abs(ours[name].astype(np.float64) - expected.astype(np.float64))
                comparison.add(
                    wrong,
                    expected.nbytes,
                    float(np.nan_to_num(distance.max(initial=0), nan=_LARGE, posinf=_LARGE)) if wrong else 0,
                )
        return ours, theirs


def _bytes(array: NDArray[Any]) -> NDArray[np.uint8]:
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8)


def _require_same_form(name: str, ours: NDArray[Any], expected: NDArray[Any]) -> None:
    if ours.shape != expected.shape or ours.dtype != expected.dtype:
        raise TalosError(
            f"output '{name}': Talos makes {ours.dtype} {ours.shape}, onnxruntime {expected.dtype} {expected.shape}; "
            "export the model with static shapes"
        )
