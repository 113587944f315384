"""Handwritten digits as arrays: scikit-learn's 8×8 set, the same upscaled to 28×28, or the user's own files.

Everything here is NumPy and deterministic; no PyTorch.
"""

import gzip
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from talos.errors import TalosError

__all__ = [
    "CALIBRATION_IMAGES",
    "SPLIT_SEED",
    "Split",
    "idx_digits",
    "npz_digits",
    "small_digits",
    "split_digits",
    "upscaled_digits",
]

SPLIT_SEED = 2026
CALIBRATION_IMAGES = 200

Images = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Split:
    """A stratified split. Images are float32 N×1×H×W in 0…1, labels int64 N in 0…9."""

    x_train: Images
    y_train: Labels
    x_test: Images
    y_test: Labels

    @property
    def calibrate(self) -> Images:
        """The first training images, N×1×H×W: enough to calibrate with, and none of them is a test image."""
        return self.x_train[:CALIBRATION_IMAGES]


def split_digits(images: Images, labels: Labels) -> Split:
    """Split images (N×1×H×W) and labels (N) into 80 % training and 20 % test, each class in the same proportion.

    Raises TalosError when a class has too few images to appear on both sides.
    """
    try:
        x_train, x_test, y_train, y_test = train_test_split(
            images, labels, test_size=0.2, random_state=SPLIT_SEED, stratify=labels
        )
    except ValueError as error:
        raise TalosError(f"cannot split {len(labels)} images into training and test: {error}; give more images") from error
    return Split(x_train, y_train, x_test, y_test)


def small_digits() -> tuple[Images, Labels]:
    """The 1,797 digits of `sklearn.datasets.load_digits`: images 1797×1×8×8 in steps of 1/16, and labels."""
    images, labels = load_digits(return_X_y=True)
    return (images / 16).astype(np.float32).reshape(-1, 1, 8, 8), labels.astype(np.int64)


def upscaled_digits() -> tuple[Images, Labels]:
    """`small_digits` in the format of MNIST: 1797×1×28×28, a bilinear 20×20 digit within a border of 4, 256 grey levels."""
    images, labels = small_digits()
    weights = _bilinear_weights(8, 20)
    large = np.round(255 * np.einsum("yh,nchw,xw->ncyx", weights, images, weights)) / 255
    return np.pad(large, ((0, 0), (0, 0), (4, 4), (4, 4))).astype(np.float32), labels


def npz_digits(path: Path) -> tuple[Images, Labels]:
    """Read `x` (N×28×28 or N×1×28×28; uint8, or floats in 0…1) and `y` (N labels 0…9) from an .npz file.

    Raises TalosError for an unreadable file, a missing array, or a wrong shape, type or range.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            images, labels = arrays["x"], arrays["y"]
    except KeyError as error:
        raise TalosError(f"{path}: no array named 'x' or 'y'; save with np.savez(path, x=images, y=labels)") from error
    except (OSError, ValueError, EOFError, AttributeError, TypeError, zipfile.BadZipFile, zlib.error) as error:
        raise TalosError(f"{path}: cannot be read as .npz: {error}; give a file written by np.savez") from error
    return _checked(images, labels, str(path))


def idx_digits(images_path: Path, labels_path: Path) -> tuple[Images, Labels]:
    """Read MNIST's idx files, gzip-compressed or plain: images N×28×28 uint8, labels N uint8.

    Raises TalosError for an unreadable file or one that does not hold what its header says.
    """
    return _checked(_read_idx(images_path), _read_idx(labels_path), str(images_path))


def _bilinear_weights(source: int, target: int) -> npt.NDArray[np.float64]:
    """target×source interpolation matrix, sampled at pixel centres, edges clamped (ONNX Resize `half_pixel`)."""
    centre = np.clip((np.arange(target) + 0.5) * source / target - 0.5, 0, source - 1)
    weights: npt.NDArray[np.float64] = np.maximum(0, 1 - np.abs(centre[:, None] - np.arange(source)))
    return weights


def _read_idx(path: Path) -> npt.NDArray[np.uint8]:
    """One idx array: magic 00 00 08 (uint8) and the rank, then big-endian uint32 sizes, then the bytes."""
    try:
        data = path.read_bytes()
        data = gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
    except (OSError, EOFError, zlib.error) as error:
        raise TalosError(f"{path}: cannot be read: {error}; give an idx file, plain or .gz") from error
    if data[:3] != b"\0\0\x08" or len(data) < 4 + 4 * data[3]:
        raise TalosError(f"{path}: is not an idx file of bytes; give one in MNIST's format, plain or .gz")
    rank = data[3]
    shape = tuple(int(size) for size in np.frombuffer(data, ">u4", rank, 4))
    values = np.frombuffer(data, np.uint8, offset=4 + 4 * rank)
    if values.size != int(np.prod(shape)):
        raise TalosError(f"{path}: holds {values.size} bytes, its header says {shape}; the file is truncated, fetch it again")
    return values.reshape(shape)


def _checked(images: npt.NDArray[np.generic], labels: npt.NDArray[np.generic], where: str) -> tuple[Images, Labels]:
    """Images as float32 N×1×28×28 in 0…1 and labels as int64 N, or a TalosError that names `where`."""
    if images.ndim == 3:
        images = images[:, np.newaxis]
    if images.shape[1:] != (1, 28, 28):
        raise TalosError(f"{where}: images have shape {images.shape}, not N×28×28 or N×1×28×28; resize them")
    if labels.shape != images.shape[:1] or not np.issubdtype(labels.dtype, np.integer):
        raise TalosError(f"{where}: labels are {labels.dtype} {labels.shape} for {len(images)} images; give one integer each")
    y = labels.astype(np.int64)
    if y.size == 0 or y.min() < 0 or y.max() > 9:
        raise TalosError(f"{where}: labels must be 0…9, one for each of at least one image; check the label array")
    if images.dtype == np.uint8:
        return (images.astype(np.float64) / 255).astype(np.float32), y
    if not np.issubdtype(images.dtype, np.floating):
        raise TalosError(f"{where}: images have type {images.dtype}; give uint8, or floats in 0…1")
    x = images.astype(np.float32)
    if not (np.all(x >= 0) and np.all(x <= 1)):
        raise TalosError(f"{where}: float images must be in 0…1; divide them by their maximum or give uint8")
    return x, y
