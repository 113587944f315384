"""MATMUL: pixel vectors of activation memory times weight tiles, into the accumulators.

The whole instruction is one product of a (pixels × contraction) matrix, gathered as strided bytes, and a (contraction × channels)
matrix, the weight tiles side by side. float32 products are exact here: pieces of the contraction are short enough that no sum
exceeds 2^24; the pieces are added in int32, which wraps as the accumulators do.
"""

import numpy as np
import numpy.typing as npt

from talos.isa import Instruction
from talos.model.functional.state import State
from talos.model.strided import gather

__all__ = ["matmul"]

EXACT = (1 << 24) // (128 * 128)
"""Products of two int8 whose sum float32 holds exactly, in any order of addition."""


def matmul(state: State, i: Instruction) -> None:
    """Run one MATMUL. Raises TalosError when the FIFO runs dry or the accumulator entries do not exist."""
    rows, cols = state.config.rows, state.config.cols
    blocks, pixels = i["blocks"], i["out_h"] * i["out_w"]
    depth = i["taps_h"] * i["taps_w"] * i["slices"] * rows
    entries = state.accumulators(i["acc"], blocks * pixels).reshape(blocks, pixels, cols)
    weights = state.weights.take(blocks * depth * cols).reshape(blocks, depth, cols)
    if i["block_stride"] == 0 or blocks == 1:
        together = weights.transpose(1, 0, 2).reshape(depth, blocks * cols)
        sums = _product(_vectors(state, i, i["act"]), together).reshape(pixels, blocks, cols).transpose(1, 0, 2)
        _accumulate(entries, sums, i["accumulate"])
    else:
        for block in range(blocks):
            sums = _product(_vectors(state, i, i["act"] + block * i["block_stride"]), weights[block])
            _accumulate(entries[block], sums, i["accumulate"])


def _vectors(state: State, i: Instruction, base: int) -> npt.NDArray[np.float32]:
    """What a block of output channels reads, (pixels, contraction): taps_h, taps_w, slices, rows in the order of the weights."""
    loops = [
        (i["out_h"], i["row_stride"]),
        (i["out_w"], i["pixel_stride"]),
        (i["taps_h"], i["tap_h_stride"]),
        (i["taps_w"], i["tap_w_stride"]),
        (i["slices"], i["slice_stride"]),
    ]
    rows = state.config.rows
    if i["slice_stride"] == rows:  # contiguous: longer runs are gathered faster
        vectors = gather(state.activation, base, loops[:-1], i["slices"] * rows)
    else:
        vectors = gather(state.activation, base, loops, rows)
    return vectors.astype(np.float32, order="C").reshape(i["out_h"] * i["out_w"], -1)


def _product(vectors: npt.NDArray[np.float32], weights: npt.NDArray[np.int8]) -> npt.NDArray[np.int32]:
    factors = weights.astype(np.float32)
    sums = (vectors[:, :EXACT] @ factors[:EXACT]).astype(np.int32)
    for start in range(EXACT, len(factors), EXACT):
        sums += (vectors[:, start : start + EXACT] @ factors[start : start + EXACT]).astype(np.int32)
    return sums


def _accumulate(entries: npt.NDArray[np.int32], sums: npt.NDArray[np.int32], accumulate: int) -> None:
    if accumulate:
        entries += sums
    else:
        entries[...] = sums
