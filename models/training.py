"""Training, measuring and exporting a digit classifier: what the scripts in this folder share.

PyTorch is imported inside the functions, so that `--help` and the data loading need none.
"""

import io
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.progress import track

from models.digits_data import Split
from talos.errors import TalosError

__all__ = ["accuracy", "check_output", "export", "require_torch", "run_script", "save_samples", "train"]

BATCH = 64
SAMPLE_IMAGES = 1000  # so that a large data set does not make a large sample file
PEAK_LEARNING_RATE = 5e-3


def run_script(main: Callable[[], None]) -> None:
    """Run a script's `main`; a TalosError becomes one line on stderr and exit status 2."""
    try:
        main()
    except TalosError as error:
        print(f"talos: error: {error}", file=sys.stderr)
        raise SystemExit(2) from None


def require_torch() -> None:
    """Raise TalosError when PyTorch is missing; call it before long work."""
    try:
        import torch  # noqa: F401
    except ImportError as error:
        raise TalosError("training needs PyTorch, which is not installed; pip install 'talos-accelerator[train]'") from error


def check_output(path: Path) -> None:
    """Raise TalosError when `path` is not an .onnx file in an existing folder; call it before long work."""
    if path.suffix != ".onnx":
        raise TalosError(f"{path}: the output must end in .onnx")
    if not path.parent.is_dir():
        raise TalosError(f"{path}: the folder {path.parent} does not exist; make it first")


def train(build: Callable[[], Any], split: Split, *, epochs: int, seed: int) -> Any:
    """Train `build()` on the training half of `split` and return it in evaluation mode.

    AdamW with a one-cycle learning rate, label smoothing, and random affine distortions of the images. The test half is
    not looked at. The same seed gives the same weights on the same processor and PyTorch version. Raises TalosError for
    fewer than one epoch.
    """
    if epochs < 1:
        raise TalosError(f"--epochs is {epochs}; give at least 1")
    import torch
    from torch import nn

    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    torch.manual_seed(seed)
    network = build()
    images, labels = torch.from_numpy(split.x_train), torch.from_numpy(split.y_train)
    steps = -(-len(images) // BATCH)
    optimizer = torch.optim.AdamW(network.parameters(), weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=PEAK_LEARNING_RATE, epochs=epochs, steps_per_epoch=steps)
    loss = nn.CrossEntropyLoss(label_smoothing=0.05)
    network.train()
    for _ in track(range(epochs), description="training"):
        for batch in torch.randperm(len(images)).split(BATCH):
            optimizer.zero_grad()
            loss(network(_distort(images[batch])), labels[batch]).backward()
            optimizer.step()
            schedule.step()
    return network.eval()


def accuracy(network: Any, images: npt.NDArray[np.float32], labels: npt.NDArray[np.int64]) -> float:
    """Fraction of `images` (N×1×H×W) whose largest logit is at their label."""
    import torch

    with torch.inference_mode():
        predicted = network(torch.from_numpy(images)).argmax(1).numpy()
    return float(np.mean(predicted == labels))


def export(network: Any, shape: tuple[int, int, int], path: Path) -> None:
    """Write `network` as one ONNX file: opset 18, input `input` of fixed shape 1×C×H×W, output `logits` of 1×10.

    Raises TalosError when the file cannot be written.
    """
    import torch

    with warnings.catch_warnings():
        # The tracing exporter is deprecated, but writes what most networks in use look like: BatchNormalization folded
        # into Conv, GlobalAveragePool, Flatten and Gemm. The newer one writes ReduceMean and Reshape instead.
        warnings.simplefilter("ignore", DeprecationWarning)
        buffer = io.BytesIO()
        torch.onnx.export(
            network,
            (torch.zeros(1, *shape),),
            buffer,
            input_names=["input"],
            output_names=["logits"],
            opset_version=18,
            dynamo=False,
        )
    _write(path, buffer.getvalue())


def save_samples(split: Split, path: Path) -> None:
    """Write `split`'s `calibrate`, `x` (test images) and `y` (their labels) as a compressed .npz.

    Raises TalosError when the file cannot be written.
    """
    buffer = io.BytesIO()
    np.savez_compressed(buffer, calibrate=split.calibrate, x=split.x_test[:SAMPLE_IMAGES], y=split.y_test[:SAMPLE_IMAGES])
    _write(path, buffer.getvalue())


def _write(path: Path, data: bytes) -> None:
    try:
        path.write_bytes(data)
    except OSError as error:
        raise TalosError(f"{path}: cannot be written: {error}; give another --output") from error


def _distort(images: Any) -> Any:
    """Each image rotated by up to ±0.15 rad, scaled by up to ±10 % and moved by up to ±1/16 of its size, edges filled with 0."""
    import torch
    from torch.nn import functional

    def uniform(limit: float) -> Any:
        return (2 * torch.rand(len(images)) - 1) * limit

    angle, scale = uniform(0.15), 1 + uniform(0.1)
    cos, sin = scale * torch.cos(angle), scale * torch.sin(angle)
    rows = [torch.stack([cos, -sin, uniform(0.125)], 1), torch.stack([sin, cos, uniform(0.125)], 1)]
    grid = functional.affine_grid(torch.stack(rows, 1), list(images.shape), align_corners=False)
    return functional.grid_sample(images, grid, align_corners=False)
