"""Binary forms of the vector unit's parameters, as they stand in parameter memory. Little-endian.

- A channel's record, 8 bytes: bits 31:0 bias (signed), 55:32 mantissa, 63:56 shift (unsigned).
- The LOOKUP table, 256 bytes: entry code + 128 is the int8 result.
- The ADD table, 256 words of 4 bytes: entry code + 128 has bits 24:0 mantissa (signed), bits 29:25 left shift.

`numerics.requantize` knows shifts of 9 signed bits; a record holds 8 unsigned ones, which loses nothing. With a mantissa of exactly
24 bits a shift of 15 or less multiplies by at least 2^23 · 2^-15 = 256: every accumulator but 0 saturates, whatever the zero point.
A shift of 56 or more multiplies by less than 2^24 · 2^-56 = 2^-32: no int32 reaches one half. So a shift is moved into 15…56 without
changing any result.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from talos.errors import TalosError

__all__ = [
    "ADD_TABLE_BYTES", "CODES", "LOOKUP_BYTES", "RECORD_BYTES", "SHIFT_HIGH", "SHIFT_LOW", "Records",
    "pack_add_table", "pack_lookup", "pack_parameters", "unpack_add_table", "unpack_lookup", "unpack_parameters",
]  # fmt: skip

RECORD_BYTES = 8
CODES = 256
LOOKUP_BYTES = CODES
ADD_TABLE_BYTES = 4 * CODES

SHIFT_LOW = 15
SHIFT_HIGH = 56

_MANTISSA_BITS = 24
_TABLE_MANTISSA_BITS = 25  # signed
_TABLE_SHIFT_BITS = 5


class Records(NamedTuple):
    """Per-channel parameters as int64 arrays of shape (channels,): arguments of `numerics.requantize`."""

    bias: npt.NDArray[np.int64]
    mantissa: npt.NDArray[np.int64]
    shift: npt.NDArray[np.int64]


def pack_parameters(bias: npt.ArrayLike, mantissa: npt.ArrayLike, shift: npt.ArrayLike) -> bytes:
    """Records of channels 0, 1, …: 8 bytes each, one for each entry of the (broadcast) 1-D arguments.

    `numerics.requantize` gives the same codes with what `unpack_parameters` reads back as with the arguments. Raises TalosError when a
    bias is not int32, a mantissa not in 0…2^24 − 1 or a shift not in −256…255.
    """
    biases = _checked("bias", bias, -(1 << 31), (1 << 31) - 1)
    mantissas = _checked("mantissa", mantissa, 0, (1 << _MANTISSA_BITS) - 1)
    shifts = _checked("shift", shift, -256, 255)
    try:
        biases, mantissas, shifts = np.broadcast_arrays(np.atleast_1d(biases), mantissas, shifts)
    except ValueError as error:
        raise TalosError(
            f"parameters: bias, mantissa and shift differ in length ({error}); pass one per channel or scalars"
        ) from error
    if biases.ndim != 1:
        raise TalosError(f"parameters: shape {biases.shape} is not one entry per channel; flatten it")
    mantissas, shifts = mantissas.copy(), shifts.copy()
    for _ in range(_MANTISSA_BITS - 1):  # to exactly 24 bits; the product, and so the result, stays what it is
        small = (mantissas != 0) & (mantissas < 1 << (_MANTISSA_BITS - 1))
        mantissas[small] <<= 1
        shifts[small] += 1
    shifts = np.clip(shifts, SHIFT_LOW, SHIFT_HIGH)
    words = (biases & 0xFFFFFFFF) | mantissas << 32 | shifts << 56
    return words.astype("<u8").tobytes()


def unpack_parameters(data: bytes) -> Records:
    """The records in `data`. Raises TalosError when its length is not a multiple of 8."""
    if len(data) % RECORD_BYTES:
        raise TalosError(f"parameters: {len(data)} bytes are not whole records of {RECORD_BYTES}; the program file is damaged")
    words = np.frombuffer(data, "<u4").astype(np.int64).reshape(-1, 2)
    return Records(words[:, 0].astype(np.int32).astype(np.int64), words[:, 1] & 0xFFFFFF, words[:, 1] >> 24)


def pack_lookup(table: npt.ArrayLike) -> bytes:
    """The 256 bytes of a LOOKUP table: int8 codes indexed by code + 128. Raises TalosError when it is not 256 int8 values."""
    return _table("lookup table", table, -128, 127).astype(np.int8).tobytes()


def unpack_lookup(data: bytes) -> npt.NDArray[np.int8]:
    """Inverse of `pack_lookup`."""
    _sized("lookup table", data, LOOKUP_BYTES)
    return np.frombuffer(data, np.int8).copy()


def pack_add_table(mantissa: npt.ArrayLike, shift: npt.ArrayLike) -> bytes:
    """The 1024 bytes of an ADD table (`PairParameters.table_mantissa`, `.table_shift`). Raises TalosError when an entry does not fit."""
    bound = 1 << (_TABLE_MANTISSA_BITS - 1)
    mantissas = _table("addition table's mantissa", mantissa, -bound, bound - 1)
    shifts = _table("addition table's shift", shift, 0, (1 << _TABLE_SHIFT_BITS) - 1)
    words = (mantissas & (2 * bound - 1)) | shifts << _TABLE_MANTISSA_BITS
    return words.astype("<u4").tobytes()


def unpack_add_table(data: bytes) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Inverse of `pack_add_table`: `(mantissa, shift)`."""
    _sized("addition table", data, ADD_TABLE_BYTES)
    words = np.frombuffer(data, "<u4").astype(np.int64)
    bound = 1 << (_TABLE_MANTISSA_BITS - 1)
    mantissas = (words & (2 * bound - 1) ^ bound) - bound
    return mantissas, (words >> _TABLE_MANTISSA_BITS) & ((1 << _TABLE_SHIFT_BITS) - 1)


def _checked(name: str, value: npt.ArrayLike, low: int, high: int) -> npt.NDArray[np.int64]:
    array = np.asarray(value)
    if array.dtype.kind not in "iu":
        raise TalosError(f"parameters: {name} has type {array.dtype}, not integers; convert it with numerics.split_multiplier")
    if array.size and (int(array.min()) < low or int(array.max()) > high):
        raise TalosError(f"parameters: {name} {array.min()} … {array.max()} leaves {low}…{high}; recalibrate the layer")
    return array.astype(np.int64)


def _table(name: str, value: npt.ArrayLike, low: int, high: int) -> npt.NDArray[np.int64]:
    array = _checked(name, value, low, high)
    if array.shape != (CODES,):
        raise TalosError(
            f"parameters: {name} has shape {array.shape}, not ({CODES},); give one entry for each int8 code from -128 on"
        )
    return array


def _sized(name: str, data: bytes, size: int) -> None:
    if len(data) != size:
        raise TalosError(f"parameters: {name} has {len(data)} bytes, not {size}; the program file is damaged")
