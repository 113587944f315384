"""A model made ready: compiled at its first run, and again when bound constants or shapes change."""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx.backend.base import BackendRep, namedtupledict

from talos.backend.batch import batch_size, single_image
from talos.backend.bind import bind, must_be_constant, named_inputs
from talos.backend.error_bounds import error_bounds
from talos.compiler.pipeline import Compiled, compile_model
from talos.compiler.reading.load import is_quantized, model_inputs
from talos.config import AcceleratorConfig
from talos.errors import TalosError
from talos.model.functional import FunctionalModel
from talos.runtime.execute import HostParts, input_tensors

__all__ = ["TalosRep"]

Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class _Ready:
    """What one set of constants and shapes was compiled to. `key` identifies them; `images` is the size of a batch."""

    key: tuple[Any, ...]
    free: list[str]
    images: int
    compiled: Compiled
    host: HostParts


class TalosRep(BackendRep):
    """A model on Talos's functional model (see `TalosBackend`). `compiled` is what the latest run used; None before the first."""

    def __init__(self, model: onnx.ModelProto, config: AcceleratorConfig, *, host: bool) -> None:
        self._model = model
        self._config = config
        self._host_allowed = host
        self._names = [value.name for value in model_inputs(model)]
        self._device = FunctionalModel(config)
        self._ready: _Ready | None = None

    @property
    def compiled(self) -> Compiled | None:
        """The program of the latest run, and the quantized model that it follows."""
        return self._ready.compiled if self._ready else None

    def run(self, inputs: Any, **kwargs: Any) -> tuple[Any, ...]:
        """The graph's outputs, a named tuple in its order. `inputs`: a list in the order of the graph's inputs, a dictionary, or an array.

        Raises TalosError if the model cannot be compiled, or the inputs do not fit.
        """
        arrays = named_inputs(self._names, inputs)
        ready = self._prepared(arrays)
        program, runs = ready.compiled.program, []
        for image in range(ready.images):
            values = ready.host.prepare(_image(ready, arrays, image))
            runs.append(ready.host.finish(self._device.run_codes(program, input_tensors(program, values)), values))
        outputs = [np.concatenate([run[name] for run in runs]) if len(runs) > 1 else runs[0][name] for name in program.results]
        named: Any = namedtupledict("Outputs", list(program.results))
        result: tuple[Any, ...] = named(*outputs)
        return result

    def error_bounds(self, inputs: Any) -> list[NDArray[np.float64]]:
        """How far each element of each output may lie from the float model's, for inputs that it was calibrated with.

        By the scales of the quantized model (see `talos.backend.error_bounds`). Raises TalosError where no bound is known.
        """
        arrays = named_inputs(self._names, inputs)
        ready = self._prepared(arrays)
        model, names = ready.compiled.quantized_model, ready.compiled.program.results
        bounds = [error_bounds(model, _image(ready, arrays, image)) for image in range(ready.images)]
        return [np.concatenate([bound[name] for bound in bounds]) if len(bounds) > 1 else bounds[0][name] for name in names]

    def _prepared(self, arrays: Arrays) -> _Ready:
        constants = {name: arrays[name] for name in must_be_constant(self._model, arrays)}
        free = {name: array for name, array in arrays.items() if name not in constants}
        key = (
            *((name, array.dtype, array.shape, array.tobytes()) for name, array in constants.items()),
            *((name, array.dtype, array.shape) for name, array in free.items()),
        )
        if self._ready is None or self._ready.key != key:
            self._ready = None
            self._ready = self._compile(key, constants, free)
        return self._ready

    def _compile(self, key: tuple[Any, ...], constants: Arrays, free: Arrays) -> _Ready:
        if not free:
            raise TalosError("the model has no input that is not a constant; there is nothing to run")
        model, count = bind(self._model, constants), batch_size(free)
        if count > 1:
            model = single_image(model, free, count)
        if not is_quantized(model) and all(array.dtype != np.float32 for array in free.values()):
            kinds = ", ".join(sorted({array.dtype.name for array in free.values()}))
            raise TalosError(
                f"the inputs are {kinds} and have no scale; Talos takes float32, or int8 and uint8 with their scales"
            )
        samples = {name: array for name, array in free.items() if array.dtype == np.float32}
        with tempfile.TemporaryDirectory(prefix="talos-") as folder:
            path = Path(folder) / f"{model.graph.name or 'model'}.onnx"
            onnx.save(model, path)
            compiled = compile_model(path, self._config, samples, host=self._host_allowed)
        return _Ready(key, list(free), count, compiled, HostParts(compiled.program))


def _image(ready: _Ready, arrays: Arrays, image: int) -> Arrays:
    """The free inputs of one image of a batch."""
    if ready.images == 1:
        return {name: arrays[name] for name in ready.free}
    return {name: arrays[name][image : image + 1] for name in ready.free}
