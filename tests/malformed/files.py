"""Files that are no models: damaged, of another kind, or with parts missing."""

import gzip
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

from tests.malformed.registry import Made, malformed, one_layer

__all__: list[str] = []

NOT_ONNX = "not an ONNX file"


def _valid() -> bytes:
    return bytes(one_layer()[1].SerializeToString())


def _write(folder: Path, data: bytes) -> Path:
    path = folder / "net.onnx"
    path.write_bytes(data)
    return path


@malformed("no such file", "cannot read the model")
def missing_file(folder: Path) -> Made:
    return folder / "net.onnx"


@malformed("a folder", "cannot read the model")
def directory(folder: Path) -> Made:
    (folder / "net.onnx").mkdir()
    return folder / "net.onnx"


@malformed("a file in a folder that is a file", "cannot read the model")
def not_a_directory(folder: Path) -> Made:
    (folder / "file").write_text("")
    return folder / "file" / "net.onnx"


@malformed("an empty file", NOT_ONNX)
def empty_file(folder: Path) -> Made:
    return _write(folder, b"")


@malformed("text", NOT_ONNX)
def text_file(folder: Path) -> Made:
    return _write(folder, b"hello, this is not a model\n" * 9)


@malformed("the page of a web server instead of the file (Git LFS, login)", NOT_ONNX)
def web_page(folder: Path) -> Made:
    return _write(folder, b"<!DOCTYPE html>\n<html><head><title>Sign in</title></head><body></body></html>\n")


@malformed("a Git LFS pointer", NOT_ONNX)
def lfs_pointer(folder: Path) -> Made:
    return _write(
        folder, b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d22e\nsize 12345\n"
    )


@malformed("zero bytes", NOT_ONNX)
def zeros(folder: Path) -> Made:
    return _write(folder, bytes(4096))


@malformed("random bytes", NOT_ONNX)
def noise(folder: Path) -> Made:
    return _write(folder, np.random.default_rng(0).bytes(4096))


@malformed("a compressed model", NOT_ONNX)
def compressed(folder: Path) -> Made:
    return _write(folder, gzip.compress(_valid()))


@malformed("a PNG image", NOT_ONNX)
def image(folder: Path) -> Made:
    return _write(folder, b"\x89PNG\r\n\x1a\n" + bytes(200))


@malformed("a NumPy file", NOT_ONNX)
def numpy_file(folder: Path) -> Made:
    np.save(folder / "net.npy", np.zeros((3, 4)))
    return _write(folder, (folder / "net.npy").read_bytes())


@malformed("a single tensor (TensorProto)", NOT_ONNX)
def tensor_file(folder: Path) -> Made:
    return _write(folder, numpy_helper.from_array(np.zeros((3, 4), np.float32), "t").SerializeToString())


@malformed("a graph without its model (GraphProto)", NOT_ONNX)
def graph_file(folder: Path) -> Made:
    return _write(folder, one_layer()[1].graph.SerializeToString())


def _external(folder: Path) -> Path:
    onnx.save(one_layer()[1], folder / "net.onnx", save_as_external_data=True, location="net.bin", size_threshold=0)
    return folder / "net.onnx"


@malformed("weights in a file that is missing", "net.bin")
def missing_external_data(folder: Path) -> Made:
    path = _external(folder)
    (folder / "net.bin").unlink()
    return path


@malformed("weights in a file that is too short", "External data length (108) exceeds")
def truncated_external_data(folder: Path) -> Made:
    path = _external(folder)
    (folder / "net.bin").write_bytes((folder / "net.bin").read_bytes()[:50])
    return path


@malformed("weights in a file outside the model's folder", "../secret.bin")
def external_data_elsewhere(folder: Path) -> Made:
    inner = folder / "inner"
    inner.mkdir()
    path = _external(inner)
    (inner / "net.bin").rename(folder / "secret.bin")
    model = onnx.load(path, load_external_data=False)
    for tensor in model.graph.initializer:
        for entry in tensor.external_data:
            if entry.key == "location":
                entry.value = "../secret.bin"
    path.write_bytes(model.SerializeToString())
    return path


@malformed("weights stored elsewhere, but nobody says where", "not a valid ONNX model")
def external_data_without_location(folder: Path) -> Made:
    _, model = one_layer()
    tensor = model.graph.initializer[2]
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    return model


@malformed("raw data shorter than the tensor's dimensions say", "not a valid ONNX model")
def short_tensor(folder: Path) -> Made:
    _, model = one_layer()
    tensor = max(model.graph.initializer, key=lambda tensor: len(tensor.raw_data))
    tensor.raw_data = tensor.raw_data[:-3]
    return model


@malformed("raw data and typed data at once", "not a valid ONNX model")
def data_twice(folder: Path) -> Made:
    _, model = one_layer()
    tensor = max(model.graph.initializer, key=lambda tensor: len(tensor.raw_data))
    tensor.int32_data.extend([1] * 108)
    return model


@malformed("a tensor without a type", "not a valid ONNX model")
def tensor_without_type(folder: Path) -> Made:
    _, model = one_layer()
    model.graph.initializer[2].ClearField("data_type")
    return model


@malformed("a tensor with a negative dimension", "not a valid ONNX model")
def tensor_with_negative_dimension(folder: Path) -> Made:
    _, model = one_layer()
    tensor = max(model.graph.initializer, key=lambda tensor: len(tensor.raw_data))
    tensor.dims[0] = -4
    return model
