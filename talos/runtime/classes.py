"""The class that a network's results name, where they name one."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["predicted_class"]


def predicted_class(results: Mapping[str, NDArray[Any]]) -> int | None:
    """Of one image: a single integer, or the place of the largest entry of a vector; the first result that is either. None without one."""
    for value in results.values():
        if value.size == 1 and np.issubdtype(value.dtype, np.integer):
            return int(value.reshape(-1)[0])
        if value.size > 1 and max(value.shape) == value.size:
            return int(np.argmax(value))
    return None
