"""Calls up the layers: how a class of a low layer offers its user what a high layer does.

`Program.run` and the pictures in a notebook belong to classes of which everything above is made, so their modules cannot import what runs or
draws them. They name it instead, and it is imported at the call: no module below depends on one above when it is loaded.
"""

from importlib import import_module
from typing import Any

__all__ = ["call_late"]


def call_late(target: str, *arguments: Any, **options: Any) -> Any:
    """Import `module:function` and call it."""
    module, _, name = target.partition(":")
    return getattr(import_module(module), name)(*arguments, **options)
