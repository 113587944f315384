"""The decorator of the cycle model's functions: numba, without reference counting, with a cache that notices every change.

Two things that `njit(cache=True)` alone gets wrong here:

- Each call passes state arrays, and numba counts references to them with atomic instructions wherever it cannot prove that it need not.
  The functions allocate nothing, so counting is switched off: a cycle of the load unit then takes 12 ns instead of 50.
- numba's cache looks at the file of the function itself, not at the functions it calls or the constants it imports. A changed latency would go
  unnoticed. So the cache folder is named by a hash of all files the functions are made of.
"""

import hashlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import numba

from talos.cache import cache_directory, mark_used

__all__ = ["cache_folder", "compiled"]

_Function = TypeVar("_Function", bound=Callable[..., Any])
_PACKAGE = Path(__file__).resolve().parent  # the functions; constants come from the modules directly under talos/


@cache
def cache_folder() -> Path:
    """Where compiled functions are kept: in the cache, by the sources' content."""
    digest = hashlib.sha256()
    for source in sorted([*_PACKAGE.glob("*.py"), *_PACKAGE.parent.parent.glob("*.py")]):
        digest.update(source.read_bytes())
    folder = cache_directory() / f"timing-{digest.hexdigest()[:16]}"
    mark_used(folder)
    return folder


def compiled(function: _Function) -> _Function:
    """`function`, compiled at its first call. It may call other such functions, and must not allocate arrays."""
    kept = numba.config.CACHE_DIR
    numba.config.CACHE_DIR = str(cache_folder())
    try:
        result: _Function = numba.njit(cache=True, _nrt=False)(function)
    finally:
        numba.config.CACHE_DIR = kept
    return result
