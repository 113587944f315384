"""The list of malformed models: each a function that makes one, and what its refusal must say."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import onnx

from tests.quirks.net import Net
from tests.quirks.registry import Network

__all__ = ["CASES", "Case", "Made", "malformed", "one_layer"]

Made = Path | onnx.ModelProto | Network
"""A file that is there already, a quantized model, or a float model with its samples."""


@dataclass(frozen=True)
class Case:
    """build: makes the model, given a folder. fragments: what the message must contain. node: the node it must name, if any.

    host: the operator that runs on the host instead, with `fragments` in its reason; only with `no_host` it is an error.
    """

    name: str
    description: str
    build: Callable[[Path], Made]
    fragments: tuple[str, ...]
    node: str
    host: str


CASES: dict[str, Case] = {}
"""All cases by name, filled when their modules are imported."""

Build = Callable[[Path], Made]


def malformed(description: str, *fragments: str, node: str = "", host: str = "") -> Callable[[Build], Build]:
    """Registers the function under its own name. Raises ValueError if it is taken."""

    def register(build: Build) -> Build:
        name = build.__name__
        if name in CASES:
            raise ValueError(f"two cases are called {name}")
        CASES[name] = Case(name, description, build, fragments, node, host)
        return build

    return register


def one_layer(seed: int = 0, opset: int = 17) -> tuple[Net, onnx.ModelProto]:
    """A valid network to spoil: input x (1, 3, 8, 8), a convolution 'conv_4' between pairs, Relu, output."""
    net = Net(seed, opset)
    network = net.quantized(net.conv_layer(net.image(1, 3, 8, 8), (4, 3, 3, 3), relu=True, zero=-128))
    return net, network.model
