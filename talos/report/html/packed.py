"""Long arrays in a compact form that the page's script turns into typed arrays."""

import base64
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["pack", "unpack"]

_INT32 = np.iinfo(np.int32)


def pack(values: NDArray[np.int64]) -> dict[str, str]:
    """{"t": "i4" or "f8", "d": base64 of little-endian bytes}; f8 (exact up to 2^53) where 32 bits do not hold the values."""
    narrow = not values.size or (values.min() >= _INT32.min and values.max() <= _INT32.max)
    kind = "i4" if narrow else "f8"
    return {"t": kind, "d": base64.b64encode(values.astype(f"<{kind}").tobytes()).decode()}


def unpack(packed: dict[str, Any]) -> NDArray[np.int64]:
    """The inverse of `pack`."""
    return np.frombuffer(base64.b64decode(packed["d"]), f"<{packed['t']}").astype(np.int64)
