"""Rewrites of float models before they are quantized."""

from talos.compiler.prepare.pipeline import Prepared, prepare_float

__all__ = ["Prepared", "prepare_float"]
