"""Sample data for a model: from files, or made up where there is none."""

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from talos.errors import TalosError
from talos.io import InputSpec, IoSpec
from talos.program import Program

__all__ = ["Samples", "load_arrays", "load_samples", "read_arrays"]

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


def read_arrays(path: str | Path) -> Arrays:
    """The arrays of a file, or of all .npy and .npz files of a folder, in order of their names. Raises TalosError.

    In a folder each file holds one sample or a batch. Arrays of one name and one shape are stacked, others are batches of different sizes.
    """
    return _folder_arrays(Path(path)) if Path(path).is_dir() else load_arrays(path)


def _folder_arrays(folder: Path) -> Arrays:
    files = sorted(file for file in folder.iterdir() if file.suffix.lower() in (".npy", ".npz"))
    if not files:
        raise TalosError(f"{folder}: the folder holds no .npy or .npz files; put one sample or batch in each")
    parts: dict[str, list[NDArray[Any]]] = {}
    for file in files:
        for name, array in load_arrays(file).items():
            parts.setdefault(name, []).append(array)
    arrays = {}
    for name, found in parts.items():
        if len({array.shape for array in found}) == 1:
            arrays[name] = np.stack(found)
            continue
        rank = max(array.ndim for array in found)
        batches = [array[np.newaxis] if array.ndim < rank else array for array in found]
        if len({array.shape[1:] for array in batches}) != 1:
            shapes = sorted({"×".join(map(str, array.shape)) for array in found})
            raise TalosError(f"{folder}: the arrays '{name}' have shapes that do not go together ({', '.join(shapes)})")
        arrays[name] = np.concatenate(batches)
    return arrays


def load_samples(program: Program, arrays: Mapping[str, NDArray[Any]] | None, source: str, count: int | None) -> Samples:
    """At most `count` images from `arrays`: one array per input, by its name; a single input is also found as 'x' or if it is the only one.

    An array holds images or, stacked, batches of images. Integer labels are found as 'y'. Without arrays, random codes over each input's
    whole range (seeded): 8 images unless `count` says more.
    Raises TalosError for a missing array, or one with another shape or type than the model's input.
    """
    if arrays is None:
        rng = np.random.default_rng(0)
        codes = {port.spec.name: port.spec for port in program.inputs}
        images = [
            {feed.name: _codes(codes[feed.name], rng) if feed.name in codes else _values(feed, rng) for feed in program.feeds}
            for _ in range(count or 8)
        ]
        return Samples(images, None, "random codes (no data given)")
    single = len(program.feeds) == 1
    found = {feed.name: _batch(feed, arrays, source, single=single) for feed in program.feeds}
    # What has no batch dimension may be given once for all images.
    lengths = {len(found[feed.name]) for feed in program.feeds if feed.batched or len(found[feed.name]) > 1}
    if len(lengths) > 1:
        raise TalosError(f"{source}: the inputs have different numbers of images ({sorted(lengths)})")
    given = lengths.pop() if lengths else 1
    total = min(given, count if count is not None else 1 << 62)
    if total == 0:
        raise TalosError(f"{source}: holds no images")
    labels = arrays.get("y")
    if labels is not None and labels.ndim == 2 and labels.size == given:
        labels = labels.reshape(-1)  # a batch of labels from each of several files
    if labels is not None and (labels.ndim != 1 or len(labels) < total or not np.issubdtype(labels.dtype, np.integer)):
        labels = None
    images = [{name: array[i % len(array)] for name, array in found.items()} for i in range(total)]
    return Samples(images, None if labels is None else labels[:total].astype(np.int64), source)


def _codes(spec: IoSpec, rng: np.random.Generator) -> NDArray[Any]:
    """An input of the accelerator that reaches every code."""
    return spec.from_tensor(rng.integers(-128, 128, spec.tensor_shape).astype(np.int8))


def _values(feed: InputSpec, rng: np.random.Generator) -> NDArray[Any]:
    """An input of a host part: floats in [0, 1), integers that are bytes."""
    if np.issubdtype(feed.dtype, np.floating):
        return rng.random(feed.shape).astype(feed.dtype)
    high = 2 if feed.dtype == "bool" else min(256, int(np.iinfo(feed.dtype).max) + 1)
    return rng.integers(0, high, feed.shape).astype(feed.dtype)


def _batch(feed: InputSpec, arrays: Mapping[str, NDArray[Any]], source: str, *, single: bool) -> NDArray[Any]:
    """The values of one input, (n, *shape); a file with one image may leave the batch dimension out."""
    names = [feed.name, *(("x",) if single else ()), *(arrays if single and len(arrays) == 1 else ())]
    name = next((name for name in names if name in arrays), None)
    if name is None:
        raise TalosError(
            f"{source}: no array '{feed.name}' (it has: {', '.join(sorted(arrays))}); name it after the model's input"
        )
    array = arrays[name]
    image = feed.shape[1:] if feed.batched else feed.shape
    if array.shape == image:
        array = array[np.newaxis]
    if feed.batched and array.ndim == len(image) + 2 and array.shape[2:] == image:
        array = array.reshape(-1, *image)
    if array.ndim != len(image) + 1 or array.shape[1:] != image:
        need, have = ("×".join(map(str, shape)) for shape in (("n", *image), array.shape))
        raise TalosError(f"{source}: array '{name}' is {have}, but input '{feed.name}' needs {need}; reshape it")
    if array.dtype != feed.dtype:
        raise TalosError(
            f"{source}: array '{name}' is {array.dtype}, but input '{feed.name}' needs {feed.dtype}; convert it (astype)"
        )
    return array[:, np.newaxis] if feed.batched else array
