"""talos.InferenceSession: a program where onnxruntime's session is expected."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from numpy.typing import ArrayLike, NDArray

from talos.api.compile import compile
from talos.api.run import run_on
from talos.api.sources import Config, Data, Model, find_memory
from talos.errors import TalosError
from talos.memory import MemoryTiming
from talos.program import Program
from talos.runtime.golden import GoldenModel
from talos.runtime.session import Backend, Runner

__all__ = ["InferenceSession", "NodeArg"]

_TYPES = {"float16": "float16", "float32": "float", "float64": "double"}
_BATCH = "batch"


@dataclass(frozen=True)
class NodeArg:
    """An input or output, as onnxruntime describes it: `shape` with a name where any number goes, `type` such as "tensor(float)"."""

    name: str
    shape: list[int | str]
    type: str


class InferenceSession:
    """A program (or a model, which is compiled first) with the interface of `onnxruntime.InferenceSession`.

    `run(None, feeds)`, `get_inputs`, `get_outputs` and `get_providers` behave as onnxruntime's. `sess_options`, `providers` and
    `provider_options` are onnxruntime's arguments: accepted, so that a caller need not change, and without effect. What fails raises
    TalosError.
    """

    def __init__(
        self,
        model: Program | Model,
        sess_options: object = None,
        providers: Sequence[object] | None = None,
        provider_options: Sequence[object] | None = None,
        *,
        config: Config = "8x8",
        calibration: Data | None = None,
        backend: Backend = "model",
        memory: MemoryTiming | str | None = None,
    ) -> None:
        self.program = model if isinstance(model, Program) else compile(model, config, calibration)
        self._runner = Runner(self.program, backend, find_memory(memory))

    def run(
        self, output_names: Sequence[str] | None, input_feed: Mapping[str, ArrayLike], run_options: object = None
    ) -> list[NDArray[Any]]:
        """The outputs named (None: all, in the graph's order). Where the model's inputs have a batch dimension, any number of images."""
        names = self.program.results if output_names is None else tuple(output_names)
        unknown = [name for name in names if name not in self.program.results]
        if unknown:
            raise TalosError(f"no output '{unknown[0]}'; the outputs are {', '.join(self.program.results)}")
        results = run_on(self._runner, input_feed)
        return [results[name] for name in names]

    def get_inputs(self) -> list[NodeArg]:
        """The model's inputs in order."""
        return [NodeArg(feed.name, self._shape(feed.shape), _type(feed.dtype)) for feed in self.program.feeds]

    def get_outputs(self) -> list[NodeArg]:
        """The model's outputs in order."""
        return [self._outputs[name] for name in self.program.results]

    def get_providers(self) -> list[str]:
        """What executes."""
        return ["TalosExecutionProvider"]

    @property
    def _batched(self) -> bool:
        return all(feed.batched for feed in self.program.feeds)

    def _shape(self, shape: Sequence[int]) -> list[int | str]:
        return [_BATCH, *shape[1:]] if self._batched and tuple(shape[:1]) == (1,) else list(shape)

    @cached_property
    def _outputs(self) -> dict[str, NodeArg]:
        """By name: what the accelerator makes, what host parts make, and inputs that are outputs."""
        known = {feed.name: NodeArg(feed.name, self._shape(feed.shape), _type(feed.dtype)) for feed in self.program.feeds}
        for port in self.program.outputs:
            spec = port.spec
            known[spec.name] = NodeArg(spec.name, self._shape(spec.onnx_shape), _type(spec.onnx_dtype))
        for part in self.program.host:
            for output in GoldenModel(part.model).output_types:
                known[output.name] = NodeArg(output.name, self._shape(output.shape), output.type)
        return known


def _type(dtype: str) -> str:
    return f"tensor({_TYPES.get(dtype, dtype)})"
