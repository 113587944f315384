"""All malformed models: imports every module that registers some."""

import importlib

from tests.malformed.registry import CASES

__all__ = ["CASES"]

for module in ("files", "structure", "types", "windows", "operands", "scales", "unsupported"):
    importlib.import_module(f"tests.malformed.{module}")
