"""Seven well-known networks with seeded weights, as QDQ models: their shapes are the published ones, their answers mean nothing."""

import hashlib
from collections.abc import Callable
from pathlib import Path

from benchmarks.zoo.mobilenet import mobilenetv1, mobilenetv2
from benchmarks.zoo.network import Network
from benchmarks.zoo.resnet import resnet18, resnet50
from benchmarks.zoo.squeezenet import squeezenet1_1
from benchmarks.zoo.vgg import vgg16
from benchmarks.zoo.yolo import yolov3_tiny
from talos.cache import cache_directory
from talos.errors import TalosError
from talos.program import write_atomically

__all__ = ["NETWORKS", "build_network", "model_file"]

NETWORKS: dict[str, tuple[Callable[[Network], None], int]] = {
    "resnet18": (resnet18, 224),
    "resnet50": (resnet50, 224),
    "mobilenetv1": (mobilenetv1, 224),
    "mobilenetv2": (mobilenetv2, 224),
    "squeezenet1_1": (squeezenet1_1, 224),
    "vgg16": (vgg16, 224),
    "yolov3_tiny": (yolov3_tiny, 416),
}
"""The builder of each network and the published size of its image."""


def build_network(name: str, size: int | None = None, width: float = 1.0) -> bytes:
    """The serialized QDQ model of `name`; `size` pixels square and `width` times the channels instead of the published ones.

    Raises TalosError for an unknown name.
    """
    if name not in NETWORKS:
        raise TalosError(f"network '{name}' is unknown; choose from {', '.join(NETWORKS)}")
    make, published = NETWORKS[name]
    network = Network(name, size or published, width)
    make(network)
    return bytes(network.model().SerializeToString())


def model_file(name: str, folder: Path | None = None) -> Path:
    """The file NAME.onnx of the published network in `folder`, or in Talos's cache; built if it is not there.

    The cache keeps one set of files for each state of the builders' sources. Raises TalosError for an unknown name or a folder that
    cannot be written.
    """
    if folder is None:
        digest = hashlib.sha256()
        for source in sorted(Path(__file__).parent.glob("*.py")):
            digest.update(source.read_bytes())
        folder = cache_directory() / "zoo" / digest.hexdigest()[:16]
    path = folder / f"{name}.onnx"
    if not path.is_file():
        model = build_network(name)
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise TalosError(f"{folder}: cannot be made ({error.strerror or error}); choose another folder") from error
        write_atomically(path, lambda file: file.write(model))
    return path
