"""Tables of 256 codes: any function of one int8 tensor, element by element."""

import numpy as np
import numpy.typing as npt

__all__ = ["apply_table"]

Int8Array = npt.NDArray[np.int8]


def apply_table(table: Int8Array, codes: Int8Array) -> Int8Array:
    """Each int8 code replaced by `table[code + 128]`, any shape."""
    return np.asarray(table[codes.view(np.uint8) ^ np.uint8(128)])
