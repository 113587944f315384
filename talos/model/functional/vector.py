"""VECTOR and TABLE: from accumulators or windows of activation memory to int8 codes, as the lanes compute them."""

import numpy as np
import numpy.typing as npt

from talos import numerics
from talos.errors import TalosError
from talos.isa import Instruction, Source, TableKind
from talos.model.functional.state import State
from talos.model.strided import disjoint, gather, scatter
from talos.parameters import (
    ADD_TABLE_BYTES,
    CODES,
    LOOKUP_BYTES,
    RECORD_BYTES,
    unpack_add_table,
    unpack_lookup,
    unpack_parameters,
)

__all__ = ["PairTables", "table", "vector"]

Int8Array = npt.NDArray[np.int8]

_SUM_LIMIT = 1 << 51  # of the lane's signed adder
_SIGNIFICAND_BITS = 24  # of the lane's multiplier

_PAIR_FIELDS = (
    "add_mantissa", "add_align", "add_shift", "add_unsigned", "multiply", "operand_zero_point", "addend_zero_point",
    "out_zero_point", "out_low", "out_high",
)  # fmt: skip


def table(state: State, i: Instruction) -> None:
    """Copy a table from parameter memory into the lanes."""
    if i["kind"] == TableKind.LOOKUP:
        state.lookup = unpack_lookup(state.parameters(i["param"], LOOKUP_BYTES))
    else:
        state.add_mantissa, state.add_shift = unpack_add_table(state.parameters(i["param"], ADD_TABLE_BYTES))


def vector(state: State, i: Instruction, additions: "PairTables") -> None:
    """Run one VECTOR. All operands are read before anything is written. Raises TalosError for fields that say nothing sensible."""
    cols = state.config.cols
    if i["tail"] > cols:
        raise TalosError(f"tail={i['tail']} is more than the {cols} channels of a block")
    channels = (i["blocks"] - 1) * cols + i["tail"]
    values = _source(state, i, channels)
    if i["requantize"]:
        records = unpack_parameters(state.parameters(i["param"], i["blocks"] * cols * RECORD_BYTES))
        bias, mantissa, shift = (field[:channels] for field in records)
        codes = numerics.requantize_fast(values, bias, mantissa, shift, i["zero_point"], i["low"], i["high"])
    elif i["source"] != Source.MAXIMUM:
        raise TalosError(f"{Source(i['source']).name} gives 32-bit sums, which must be requantized: set requantize")
    elif i["add"]:
        codes = values.astype(np.int8)
    else:
        codes = np.clip(values, i["low"], i["high"]).astype(np.int8)
    if i["add"]:
        other = gather(state.activation, i["b"], _pixels(i, "b"), channels)
        codes = additions.apply(state, i, codes, other)
    if i["lookup"]:
        codes = numerics.apply_table(state.lookup, np.ascontiguousarray(codes))
    _write(state, i, codes, channels)


def _pixels(i: Instruction, prefix: str) -> list[tuple[int, int]]:
    return [(i["out_h"], i[f"{prefix}_row_stride"]), (i["out_w"], i[f"{prefix}_pixel_stride"])]


def _source(state: State, i: Instruction, channels: int) -> npt.NDArray[np.integer]:
    """The operand of every channel: (out_h, out_w, channels), int32 sums or int8 codes."""
    height, width, blocks = i["out_h"], i["out_w"], i["blocks"]
    if i["source"] == Source.ACCUMULATOR:
        entries = state.accumulators(i["acc"], blocks * height * width)
        pixels = entries.reshape(blocks, height, width, -1).transpose(1, 2, 0, 3)
        return pixels.reshape(height, width, -1)[..., :channels]
    if i["source"] not in (Source.MAXIMUM, Source.SUM):
        raise TalosError(f"source={i['source']} is not one of {', '.join(f'{s.value} ({s.name})' for s in Source)}")
    window = [(i["win_h"], i["a_win_h_stride"]), (i["win_w"], i["a_win_w_stride"])]
    taps = gather(state.activation, i["a"], window + _pixels(i, "a"), channels)
    if i["source"] == Source.MAXIMUM:
        return np.asarray(taps.max(axis=(0, 1)))
    return np.asarray(taps.sum(axis=(0, 1), dtype=np.int32))


def _write(state: State, i: Instruction, codes: Int8Array, channels: int) -> None:
    """Blocks one after another, so that of pixels that overlap the same bytes stay as in hardware."""
    cols, loops = state.config.cols, _pixels(i, "dst")
    if disjoint(loops, channels):
        scatter(state.activation, i["dst"], loops, channels, codes)
        return
    for start in range(0, channels, cols):
        part = codes[..., start : start + cols]
        scatter(state.activation, i["dst"] + start, loops, part.shape[-1], part)


class PairTables:
    """Results of additions and multiplications for all 65,536 pairs of codes, made once per set of parameters."""

    def __init__(self) -> None:
        self._tables: dict[tuple[object, ...], Int8Array] = {}

    def apply(self, state: State, i: Instruction, a: Int8Array, b: Int8Array) -> Int8Array:
        """Codes of the result, clamped; shapes as `a`. Raises TalosError when a product or a sum would leave its bits."""
        key = (*(i[name] for name in _PAIR_FIELDS), state.add_mantissa.tobytes(), state.add_shift.tobytes())
        if key not in self._tables:
            self._tables[key] = _all_pairs(state, i)
        operand, addend = (b, a) if i["add_swap"] else (a, b)
        index = (operand.view(np.uint8) ^ np.uint8(128)).astype(np.uint16) << np.uint16(8)
        index |= addend.view(np.uint8) ^ np.uint8(128)
        return np.asarray(self._tables[key][index])


def _all_pairs(state: State, i: Instruction) -> Int8Array:
    parameters = numerics.PairParameters(
        mantissa=i["add_mantissa"],
        align=i["add_align"],
        shift=i["add_shift"],
        table_mantissa=state.add_mantissa,
        table_shift=state.add_shift,
        unsigned=bool(i["add_unsigned"]),
        multiply=bool(i["multiply"]),
        zero_a=i["operand_zero_point"],
        zero_b=i["addend_zero_point"],
        zero_point=i["out_zero_point"],
    )
    operand = _largest_operand(i) << parameters.align
    if operand >= 1 << _SIGNIFICAND_BITS:
        raise TalosError(f"add_align={parameters.align} shifts operand a out of the {_SIGNIFICAND_BITS}-bit multiplier")
    largest = max(abs(int(m)) << int(s) for m, s in zip(state.add_mantissa, state.add_shift, strict=True))
    if largest + operand * parameters.mantissa >= _SUM_LIMIT:
        raise TalosError("the ADD table and add_mantissa exceed the 52-bit adder")
    codes = np.arange(-128, 128).astype(np.int8)
    return numerics.combine(np.repeat(codes, CODES), np.tile(codes, CODES), parameters, i["out_low"], i["out_high"])


def _largest_operand(i: Instruction) -> int:
    """The largest magnitude that can enter the multiplier."""
    if i["multiply"]:
        first, second = (max(128 + zero, 127 - zero) for zero in (i["operand_zero_point"], i["addend_zero_point"]))
        return first * second
    return 255 if i["add_unsigned"] else 128
