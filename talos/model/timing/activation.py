"""Arbitration of the activation memory; equal to the grants of `talos/rtl/activation.py`.

`a` is `activation_state(config)`, which never changes. Addresses are byte addresses, or -1 without a request. The matrix unit's reads
and the vector unit's writes are always granted.
"""

import numpy as np
from numpy.typing import NDArray

from talos.config import AcceleratorConfig
from talos.latency import NEAR_END_BITS
from talos.model.timing.compiled import compiled

__all__ = ["activation_load_grant", "activation_read_grants", "activation_state"]

_LINE_BYTES = 0
_LINE_SHIFT = 1
_LINES_MASK = 2  # lines - 1
_BANK_SHIFT = 3  # from a line's number to its bank
_MATRIX_BYTES = 4
_VECTOR_BYTES = 5
_BEAT_BYTES = 6
_NEAR_END = 7  # bits of an odd line in the last rows of a bank
_SIZE = 8


def activation_state(config: AcceleratorConfig) -> NDArray[np.int64]:
    """The constants of the configuration, 1-D int64."""
    lines = config.activation_bytes // config.line_bytes
    a = np.zeros(_SIZE, np.int64)
    a[_LINE_BYTES] = config.line_bytes
    a[_LINE_SHIFT] = config.line_bytes.bit_length() - 1
    a[_LINES_MASK] = lines - 1
    a[_BANK_SHIFT] = (lines // config.activation_banks).bit_length() - 1
    row_bits = (lines // config.activation_banks).bit_length() - 2
    a[_NEAR_END] = (1 << row_bits) - (1 << max(0, row_bits - NEAR_END_BITS)) << 1 | 1
    a[_MATRIX_BYTES] = config.matrix_bytes
    a[_VECTOR_BYTES] = config.cols
    a[_BEAT_BYTES] = config.beat_bytes
    return a


@compiled
def _needs(a: NDArray[np.int64], address: int, width: int) -> int:
    """The sub-banks (bit 2 · bank + parity) of an access, 0 without one."""
    if address < 0:
        return 0
    line = address >> a[_LINE_SHIFT] & a[_LINES_MASK]
    needs = 1 << ((line >> a[_BANK_SHIFT]) * 2 + (line & 1))
    if (address & (a[_LINE_BYTES] - 1)) + width > a[_LINE_BYTES]:
        if line & a[_NEAR_END] == a[_NEAR_END]:  # counts as needing both, see the RTL
            needs |= 1 << (line >> a[_BANK_SHIFT]) * 2
            line_in_next_bank = line + (1 << a[_BANK_SHIFT]) & a[_LINES_MASK]
            needs |= 1 << (line_in_next_bank >> a[_BANK_SHIFT]) * 2
        line = line + 1 & a[_LINES_MASK]
        needs |= 1 << ((line >> a[_BANK_SHIFT]) * 2 + (line & 1))
    return needs


@compiled
def activation_read_grants(a: NDArray[np.int64], matrix: int, vector: int, store: int) -> int:
    """Bit 0: the vector unit's read is granted, bit 1: the store unit's. Without a request the bit is 1."""
    if vector < 0 and store < 0:
        return 3
    asked = _needs(a, matrix, a[_MATRIX_BYTES])
    grants = 0
    needs = _needs(a, vector, a[_VECTOR_BYTES])
    if needs & asked == 0:
        grants = 1
    if store < 0 or _needs(a, store, a[_BEAT_BYTES]) & (asked | needs) == 0:
        grants |= 2
    return grants


@compiled
def activation_load_grant(a: NDArray[np.int64], vector: int, load: int) -> bool:
    """The load unit's write is granted, given the vector unit's write. True without a request."""
    return vector < 0 or load < 0 or _needs(a, load, a[_BEAT_BYTES]) & _needs(a, vector, a[_VECTOR_BYTES]) == 0
