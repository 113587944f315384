"""From what a caller has to what the layers below take: models, samples, configurations, memories."""

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from talos.compiler.quantization.quantize import Quantized
from talos.config import AcceleratorConfig, load_config
from talos.errors import TalosError
from talos.memory import MemoryTiming
from talos.runtime.samples import read_arrays

__all__ = ["Config", "Data", "Model", "OnnxModel", "find_config", "find_memory", "model_file", "sample_arrays"]


class OnnxModel(Protocol):
    """An `onnx.ModelProto`, by the method used of it: importing onnx is the compiler's matter."""

    def SerializeToString(self) -> bytes: ...  # protobuf's name


Model = str | os.PathLike[str] | bytes | OnnxModel | Quantized
"""A file, a serialized model, an `onnx.ModelProto`, or what `talos.quantize` returned."""

Config = str | os.PathLike[str] | AcceleratorConfig
"""A preset's name, a JSON file, or the configuration itself."""

Data = str | os.PathLike[str] | Mapping[str, ArrayLike] | ArrayLike
"""An .npy or .npz file, a folder of them, arrays by name, or one array of a model with one input."""


@contextmanager
def model_file(model: Model) -> Iterator[Path]:
    """A file that holds `model`, for as long as the context lasts. Raises TalosError for what is no model."""
    if isinstance(model, str | os.PathLike):
        yield Path(model)
        return
    if isinstance(model, Quantized):
        model = model.model
    serialize = getattr(model, "SerializeToString", None)
    data = model if isinstance(model, bytes) else serialize() if serialize is not None else None
    if data is None:
        raise TalosError(f"the model is a {type(model).__name__}; pass a file name, serialized bytes or an onnx.ModelProto")
    name = getattr(getattr(model, "graph", None), "name", "")
    with tempfile.TemporaryDirectory(prefix="talos-") as folder:
        path = Path(folder) / f"{_file_name(name) or 'model'}.onnx"
        path.write_bytes(data)
        yield path


def _file_name(name: str) -> str:
    return "".join(letter if letter.isalnum() or letter in "-_." else "_" for letter in name)[:60].strip(".")


def sample_arrays(data: Data | None) -> dict[str, NDArray[Any]] | None:
    """`data` as arrays by name; a single array is called 'x'. Raises TalosError for files that cannot be read."""
    if data is None:
        return None
    if isinstance(data, str | os.PathLike):
        return read_arrays(os.fspath(data))
    if isinstance(data, Mapping):
        return {name: np.asarray(array) for name, array in data.items()}
    return {"x": np.asarray(data)}


def find_config(config: Config) -> AcceleratorConfig:
    """The configuration meant. Raises TalosError."""
    return config if isinstance(config, AcceleratorConfig) else load_config(os.fspath(config))


def find_memory(memory: MemoryTiming | str | None) -> MemoryTiming:
    """The DRAM meant; None is the default one. Raises TalosError."""
    return MemoryTiming.parse(memory) if isinstance(memory, str) else memory or MemoryTiming()
