"""Accuracy of the network collection: float, quantized in onnxruntime, and on Talos, over all its data.

    python -m benchmarks.accuracy [--zoo FOLDER] [--config PRESET] [--images N] [--only NAME] [--json FILE]

The networks and their data are not part of the project (see the README beside them); FOLDER has `models/` and `data/`. Talos is the
functional model. The preprocessing of each network is that of its README; float networks are calibrated with the samples named there,
which for tiny_kws and tiny_vww are among the images measured.
"""

import argparse
import gzip
import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.table import Table

from talos.cli.progress_bar import ProgressBar
from talos.compiler.pipeline import compile_model
from talos.compiler.reading.load import is_quantized, load_model
from talos.config import AcceleratorConfig, load_config
from talos.errors import TalosError
from talos.runtime.evaluate import Evaluation, evaluate
from talos.runtime.progress import Progress, silent
from talos.runtime.samples import load_samples

__all__ = ["NETWORKS", "ZOO", "Network", "accuracy_of", "main"]

Array = npt.NDArray[Any]

ZOO = Path(__file__).resolve().parents[2] / "shared" / "zoo"
AGREEMENT = 0.999
"""Least share of images for which Talos and onnxruntime's int8 must name the same class."""

_MEAN, _DEVIATION = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])  # of ImageNet, as torchvision has them


@dataclass(frozen=True)
class Network:
    """One file of the collection: its labelled `images` and, if it is a float model, its `calibration` samples."""

    name: str
    images: Callable[[Path], tuple[Array, Array]]
    calibration: Callable[[Path], Array] | None = None


def _idx(path: Path, header: int) -> Array:
    with gzip.open(path) as file:
        return np.frombuffer(file.read()[header:], np.uint8)


def _mnist(data: Path) -> tuple[Array, Array]:
    images = _idx(data / "mnist_t10k-images-idx3-ubyte.gz", 16).reshape(-1, 1, 28, 28).astype(np.float32)
    return images, _idx(data / "mnist_t10k-labels-idx1-ubyte.gz", 8).astype(np.int64)


def _mnist_calibration(data: Path) -> Array:
    return np.asarray(np.load(data / "mnist_train_calib200.npz")["x"]).reshape(-1, 1, 28, 28).astype(np.float32)


def _stored(file: str, prepare: Callable[[Array], Array]) -> Callable[[Path], tuple[Array, Array]]:
    """Images `x` of an .npz file in the form that the network takes, and its labels `y`."""

    def load(data: Path) -> tuple[Array, Array]:
        with np.load(data / f"{file}.npz") as arrays:
            return prepare(arrays["x"]), arrays["y"].astype(np.int64)

    return load


def _samples(file: str, prepare: Callable[[Array], Array], count: int | None = None) -> Callable[[Path], Array]:
    """The first `count` images of an .npz file (None: all) to calibrate with."""

    def load(data: Path) -> Array:
        with np.load(data / f"{file}.npz") as arrays:
            return prepare(arrays["x"][:count])

    return load


def _pixels(images: Array) -> Array:
    return images.astype(np.float32)


def _normalized(images: Array) -> Array:
    return np.asarray(((images / 255 - _MEAN) / _DEVIATION).astype(np.float32).transpose(0, 3, 1, 2))


def _unit(images: Array) -> Array:
    return np.asarray(images.astype(np.float32) / np.float32(255))


def _signed(images: Array) -> Array:
    return np.asarray((images ^ np.uint8(0x80)).view(np.int8))


def _features(codes: Array) -> Array:
    return codes.reshape(-1, 49, 10, 1)


def _real_features(codes: Array) -> Array:
    return np.asarray((_features(codes).astype(np.float32) - 83) * np.float32(0.584703))


_CIFAR, _CIFAR_CALIBRATION, _KEYWORDS, _PERSONS = "cifar10jpg_test1000", "cifar10png_calib200", "kws01_mfcc1000", "coco256_vww96"

NETWORKS = (
    Network("mnist8_cntk", _mnist, _mnist_calibration),
    Network("mnist8_cntk_ort_qdq", _mnist),
    Network("tiny_ic_resnet8", _stored(_CIFAR, _pixels), _samples(_CIFAR_CALIBRATION, _pixels)),
    Network("tiny_ic_resnet8_tflite_qdq", _stored(_CIFAR, _signed)),
    Network("tiny_ic_resnet8_ort_qdq", _stored(_CIFAR, _pixels)),
    Network("tiny_kws_dscnn", _stored(_KEYWORDS, _real_features), _samples(_KEYWORDS, _real_features, 100)),
    Network("tiny_kws_dscnn_tflite_qdq", _stored(_KEYWORDS, _features)),
    Network("tiny_vww_mbv1", _stored(_PERSONS, _unit), _samples(_PERSONS, _unit, 64)),
    Network("tiny_vww_mbv1_tflite_qdq", _stored(_PERSONS, _signed)),
    Network("resnet20_cifar_ts", _stored(_CIFAR, _normalized), _samples(_CIFAR_CALIBRATION, _normalized)),
    Network("resnet20_cifar_ts_ort_qdq", _stored(_CIFAR, _normalized)),
)


def accuracy_of(
    network: Network, zoo: Path, config: AcceleratorConfig, count: int | None = None, progress: Progress = silent
) -> Evaluation:
    """Compile one network and evaluate it on the first `count` of its images (None: all). Raises TalosError."""

    def named(stage: str, done: int, total: int) -> None:
        progress(f"{network.name}: {stage}", done, total)

    named("compiling", 0, 0)
    path, data = zoo / "models" / f"{network.name}.onnx", zoo / "data"
    if not path.is_file():
        raise TalosError(f"{path}: there is no such network; name the collection's folder with --zoo")
    calibration = {"x": network.calibration(data)} if network.calibration else None
    compiled = compile_model(path, config, calibration)
    images, labels = network.images(data)
    samples = load_samples(compiled.program, {"x": images, "y": labels}, network.name, count)
    original = load_model(path)
    real = None if is_quantized(original) else original.SerializeToString()
    return evaluate(compiled, samples, float_model=real, progress=named)


def _table(results: dict[str, Evaluation]) -> Table:
    table = Table(box=None, pad_edge=False)
    for column in ("network", "images", "float", "onnxruntime int8", "Talos", "same class", "bytes equal"):
        table.add_column(column, justify="left" if column == "network" else "right")
    for name, result in results.items():
        table.add_row(
            name,
            f"{result.images:,}",
            "–" if result.float32 is None else f"{result.float32.accuracy:.2%}",
            f"{result.onnxruntime.accuracy:.2%}",
            f"{result.talos.accuracy:.2%}",
            f"{result.agreement:.2%}",
            f"{result.bytes - result.mismatched_bytes:,} of {result.bytes:,}",
        )
    return table


def _json(result: Evaluation) -> dict[str, Any]:
    return {
        "images": result.images,
        "float": None if result.float32 is None else result.float32.accuracy,
        "onnxruntime": result.onnxruntime.accuracy,
        "talos": result.talos.accuracy,
        "agreement": result.agreement,
        "bytes": result.bytes,
        "mismatched_bytes": result.mismatched_bytes,
    }


def main(arguments: list[str] | None = None) -> int:
    """Print the table. Exit status 0 if Talos and onnxruntime agree well enough everywhere, 1 if not, 2 if something cannot be run."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.accuracy", description=__doc__.splitlines()[0])
    parser.add_argument("--zoo", type=Path, default=ZOO, help="folder of the collection, with models/ and data/")
    parser.add_argument("--config", default="16x16", help="preset or JSON file (the values do not depend on it)")
    parser.add_argument("--images", type=int, help="use the first N images of each network (default: all)")
    parser.add_argument("--only", action="append", choices=[network.name for network in NETWORKS], help="only this network")
    parser.add_argument("--json", type=Path, help="also write the table as JSON")
    options = parser.parse_args(arguments)
    console = Console(width=None if sys.stdout.isatty() else 120, highlight=False)
    results: dict[str, Evaluation] = {}
    start = time.monotonic()
    try:
        config = load_config(options.config)
        bar = ProgressBar() if sys.stderr.isatty() else None
        for network in NETWORKS:
            if options.only and network.name not in options.only:
                continue
            if bar is None:
                results[network.name] = accuracy_of(network, options.zoo, config, options.images)
            else:
                with bar:
                    results[network.name] = accuracy_of(network, options.zoo, config, options.images, bar)
    except TalosError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    console.print(_table(results))
    console.print(f"configuration {config.name}; {time.monotonic() - start:.0f} s")
    if options.json is not None:
        options.json.write_text(json.dumps({name: _json(result) for name, result in results.items()}, indent=1) + "\n")
    return 0 if all(result.agreement >= AGREEMENT for result in results.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
