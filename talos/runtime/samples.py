"""Sample data for a model: from files, or made up where there is none."""

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from talos.errors import TalosError
from talos.io import IoSpec
from talos.program import Program

__all__ = ["Samples", "load_arrays", "load_samples"]

Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Samples:
    """`inputs[i]` are the ONNX inputs of image i; `labels` the classes, if known; `source` says where they come from."""

    inputs: list[Arrays]
    labels: NDArray[np.int64] | None
    source: str


def load_arrays(path: str | Path) -> Arrays:
    """The arrays of an .npz file, or of an .npy file as 'x'. Raises TalosError for anything else."""
    path = Path(path)
    try:
        with path.open("rb") as file:
            loaded = np.load(file, allow_pickle=False)
            return {name: loaded[name] for name in loaded.files} if isinstance(loaded, np.lib.npyio.NpzFile) else {"x": loaded}
    except OSError as error:
        raise TalosError(f"{path}: cannot be read ({error.strerror or error})") from error
    except (ValueError, EOFError, zipfile.BadZipFile, KeyError) as error:
        raise TalosError(f"{path}: not an .npy or .npz file of plain arrays ({str(error).splitlines()[0]})") from error


def load_samples(program: Program, arrays: Mapping[str, NDArray[Any]] | None, source: str, count: int | None) -> Samples:
    """At most `count` images from `arrays`: one array per input, by its name; a single input is also found as 'x' or if it is the only one.

    Integer labels are found as 'y'. Without arrays, random codes over each input's whole range (seeded): 8 images unless `count` says more.
    Raises TalosError for a missing array, or one with another shape or type than the model's input.
    """
    specs = [port.spec for port in program.inputs]
    if arrays is None:
        rng = np.random.default_rng(0)
        images = [{spec.name: _random(spec, rng) for spec in specs} for _ in range(count or 8)]
        return Samples(images, None, "random codes (no data given)")
    found = {spec.name: _batch(spec, arrays, source, single=len(specs) == 1) for spec in specs}
    lengths = {len(array) for array in found.values()}
    if len(lengths) != 1:
        raise TalosError(f"{source}: the inputs have different numbers of images ({sorted(lengths)})")
    total = min(lengths.pop(), count if count is not None else 1 << 62)
    if total == 0:
        raise TalosError(f"{source}: holds no images")
    labels = arrays.get("y")
    if labels is not None and (labels.ndim != 1 or len(labels) < total or not np.issubdtype(labels.dtype, np.integer)):
        labels = None
    images = [{name: array[i : i + 1] for name, array in found.items()} for i in range(total)]
    return Samples(images, None if labels is None else labels[:total].astype(np.int64), source)


def _random(spec: IoSpec, rng: np.random.Generator) -> NDArray[Any]:
    return spec.from_tensor(rng.integers(-128, 128, spec.tensor_shape).astype(np.int8))


def _batch(spec: IoSpec, arrays: Mapping[str, NDArray[Any]], source: str, *, single: bool) -> NDArray[Any]:
    """The images of one input, (n, *onnx_shape[1:]); a file with one image may leave the batch dimension out."""
    names = [spec.name, *(("x",) if single else ()), *(arrays if single and len(arrays) == 1 else ())]
    name = next((name for name in names if name in arrays), None)
    if name is None:
        raise TalosError(
            f"{source}: no array '{spec.name}' (it has: {', '.join(sorted(arrays))}); name it after the model's input"
        )
    array = arrays[name]
    if array.shape == spec.onnx_shape[1:]:
        array = array[np.newaxis]
    if array.ndim != len(spec.onnx_shape) or array.shape[1:] != spec.onnx_shape[1:]:
        need, have = ("×".join(map(str, shape)) for shape in (("n", *spec.onnx_shape[1:]), array.shape))
        raise TalosError(f"{source}: array '{name}' is {have}, but input '{spec.name}' needs {need}; reshape it")
    if array.dtype != spec.onnx_dtype:
        raise TalosError(
            f"{source}: array '{name}' is {array.dtype}, but input '{spec.name}' needs {spec.onnx_dtype}; convert it (astype)"
        )
    return array
