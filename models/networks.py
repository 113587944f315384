"""The networks in PyTorch. Import this only where PyTorch is installed (extra `train`).

Submodules are named, because their names become the ONNX node names that reports show.
"""

from typing import Any

from torch import nn

__all__ = ["ConvBlock", "DigitsNet", "ResidualBlock", "TalosMnist"]


class ConvBlock(nn.Module):  # type: ignore[misc]  # torch is untyped here: it is an optional extra
    """3×3 convolution with padding 1 and batch normalization: N×`inputs`×H×W to N×`outputs`×⌈H/`stride`⌉×⌈W/`stride`⌉."""

    def __init__(self, inputs: int, outputs: int, *, stride: int = 1, relu: bool = True) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU() if relu else nn.Identity()

    def forward(self, x: Any) -> Any:
        """Convolution, normalization and, unless `relu` is false, ReLU."""
        return self.relu(self.norm(self.conv(x)))


class ResidualBlock(nn.Module):  # type: ignore[misc]  # torch is untyped here: it is an optional extra
    """relu(x + block2(block1(x))): N×C×H×W to the same shape."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.block1 = ConvBlock(channels, channels)
        self.block2 = ConvBlock(channels, channels, relu=False)
        self.relu = nn.ReLU()

    def forward(self, x: Any) -> Any:
        """The sum of `x` and both blocks, then ReLU."""
        return self.relu(x + self.block2(self.block1(x)))


class DigitsNet(nn.Module):  # type: ignore[misc]  # torch is untyped here: it is an optional extra
    """N×1×8×8 in 0…1 to N×10 logits; 101,696 MACs."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = ConvBlock(1, 16)
        self.pool = nn.MaxPool2d(2)
        self.residual = ResidualBlock(16)
        self.reduce = ConvBlock(16, 32, stride=2)
        self.average = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.classifier = nn.Linear(32, 10)

    def forward(self, x: Any) -> Any:
        """8×8 → stem, pool → 4×4 → residual, reduce → 2×2 → average → 32 features → 10 logits."""
        x = self.residual(self.pool(self.stem(x)))
        return self.classifier(self.flatten(self.average(self.reduce(x))))


class TalosMnist(nn.Module):  # type: ignore[misc]  # torch is untyped here: it is an optional extra
    """N×1×28×28 in 0…1 to N×10 logits; 31,096 MACs."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3)
        self.relu = nn.ReLU()
        self.pool = nn.MaxPool2d(2)
        self.flatten = nn.Flatten()
        self.classifier = nn.Linear(676, 10)

    def forward(self, x: Any) -> Any:
        """28×28 → conv → 26×26×4 → pool → 13×13×4 = 676 features → 10 logits."""
        return self.classifier(self.flatten(self.pool(self.relu(self.conv(x)))))
