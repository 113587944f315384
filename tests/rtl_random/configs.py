"""Random configurations, small enough that tiling, spilling to DRAM and full queues happen in small layers."""

import numpy as np

from talos.config import AcceleratorConfig
from talos.errors import TalosError

__all__ = ["ARRAYS", "random_config"]

ARRAYS = ((8, 4), (4, 16), (8, 8), (16, 4), (4, 8), (16, 16), (8, 16), (4, 4), (16, 8))
"""(rows, cols), taken in turn from a place that the seed decides: few configurations already have unequal sides and all sizes."""


def random_config(seed: int, index: int) -> AcceleratorConfig:
    """Configuration `index` of `seed`; the same for any number of configurations."""
    rng = np.random.default_rng((seed, index))
    order = np.random.default_rng(seed).permutation(len(ARRAYS))
    rows, cols = ARRAYS[order[index % len(ARRAYS)]]
    while True:
        try:
            return _draw(rng, rows, cols)
        except TalosError:
            continue  # a combination that cannot be built


def _draw(rng: np.random.Generator, rows: int, cols: int) -> AcceleratorConfig:
    def power(low: int, high: int) -> int:
        return 1 << int(rng.integers(low, high + 1))

    options = {option: bool(rng.random() < 0.85) for option in ("residual", "lookup", "pool", "depthwise")}
    return AcceleratorConfig(
        rows=rows,
        cols=cols,
        activation_bytes=power(12, 15),
        activation_banks=power(0, 3),
        accumulator_depth=power(6, 10),
        weight_fifo_bytes=power(9, 13),
        parameter_bytes=power(11, 13),
        axi_data_width=power(5, 8),
        axi_addr_width=int(rng.choice([32, 40, 64])),
        lanes=cols >> int(rng.choice([0, 0, 1, 1, 2])),
        queue_depth=power(1, 3),
        max_burst=power(0, 6),
        multiply=options["residual"] and bool(rng.random() < 0.8),
        **options,
    )
