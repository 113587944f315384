"""MATMUL: pixel vectors of activation memory and weight tiles, multiplied or (depthwise) filtered, into the accumulators.

A dense instruction is one product of a (pixels × contraction) matrix, gathered as strided bytes, and a (contraction × channels)
matrix, the weight tiles side by side. float32 products are exact here: pieces of the contraction are short enough that no sum
exceeds 2^24; the pieces are added in int32, which wraps as the accumulators do.

A depthwise instruction adds, for each block, tile with weights w (rows, cols), output (y, x) and channel c:
Σ_r w[r, c] · byte c of the vector r pixels back, that is of pixel x + warmup − r of row y. It is summed tap by tap in int32.
"""

from itertools import product

import numpy as np
import numpy.typing as npt

from talos.errors import TalosError
from talos.isa import Instruction
from talos.model.functional.state import State
from talos.model.strided import gather

__all__ = ["matmul"]

EXACT = (1 << 24) // (128 * 128)
"""Products of two int8 whose sum float32 holds exactly, in any order of addition."""


def matmul(state: State, i: Instruction) -> None:
    """Run one MATMUL.

    Raises TalosError when the FIFO runs dry, the accumulator entries do not exist, or depthwise is not used as the array allows.
    """
    _check(state, i)
    rows, cols = state.config.rows, state.config.cols
    blocks, pixels = i["blocks"], i["out_h"] * (i["out_w"] - i["warmup"])
    depth = i["taps_h"] * i["taps_w"] * i["slices"] * rows
    entries = state.accumulators(i["acc"], blocks * pixels).reshape(blocks, pixels, cols)
    weights = state.weights.take(blocks * depth * cols).reshape(blocks, depth, cols)
    if i["depthwise"]:
        _accumulate(entries, _filtered(state, i, weights).reshape(entries.shape), i["accumulate"])
    elif i["block_stride"] == 0 or blocks == 1:
        together = weights.transpose(1, 0, 2).reshape(depth, blocks * cols)
        sums = _product(_vectors(state, i, i["act"]), together).reshape(pixels, blocks, cols).transpose(1, 0, 2)
        _accumulate(entries, sums, i["accumulate"])
    else:
        for block in range(blocks):
            sums = _product(_vectors(state, i, i["act"] + block * i["block_stride"]), weights[block])
            _accumulate(entries[block], sums, i["accumulate"])


def _check(state: State, i: Instruction) -> None:
    if i["depthwise"] and not state.config.depthwise:
        raise TalosError(f"depthwise=1 needs the option depthwise, which the configuration {state.config.name} leaves out")
    if i["warmup"] and not i["depthwise"]:
        raise TalosError(f"warmup={i['warmup']} has a meaning only with depthwise=1")
    if i["warmup"] >= i["out_w"]:
        raise TalosError(f"warmup={i['warmup']} leaves nothing of output rows of out_w={i['out_w']} vectors")


def _filtered(state: State, i: Instruction, weights: npt.NDArray[np.int8]) -> npt.NDArray[np.int32]:
    """Sums of a depthwise instruction, (blocks, out_h, out_w − warmup, cols); `weights` (blocks, contraction, cols)."""
    cols, warmup = state.config.cols, i["warmup"]
    tiles = weights.reshape(i["blocks"], i["taps_h"], i["taps_w"], i["slices"], state.config.rows, cols)
    if tiles[..., warmup + 1 :, :].any():
        raise TalosError(f"depthwise weights of rows above warmup={warmup} must be zero: their pixels are not in the output row")
    outputs = (
        (i["blocks"], i["block_stride"]),
        (i["out_h"], i["row_stride"]),
        (i["out_w"] - warmup, i["pixel_stride"]),
    )
    sums = np.zeros((*(count for count, _ in outputs), cols), np.int32)
    used = np.asarray(tiles.any(axis=(0, -1)))
    for tap_h, tap_w, piece, row in product(*map(range, used.shape)):
        if used[tap_h, tap_w, piece, row]:
            address = i["act"] + tap_h * i["tap_h_stride"] + tap_w * i["tap_w_stride"] + piece * i["slice_stride"]
            vectors = gather(state.activation, address + (warmup - row) * i["pixel_stride"], outputs, cols)
            factors = tiles[:, tap_h, tap_w, piece, row].astype(np.int32)
            sums += vectors * factors[:, None, None, :]
    return sums


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
