"""All quirks: imports every module that registers some."""

import importlib

from tests.quirks.registry import QUIRKS

__all__ = ["QUIRKS"]

MODULES = (
    "padding", "quantization", "weights", "channels", "kernels", "joins", "arithmetic", "graph_form", "storage_form", "shapes",
    "layouts", "dense", "activations", "pooling", "upsampling", "rearranging", "opsets", "qoperator", "exporters", "host_parts",
)  # fmt: skip

for module in MODULES:
    importlib.import_module(f"tests.quirks.{module}")
