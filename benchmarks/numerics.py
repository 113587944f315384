"""Compare `talos.numerics` with onnxruntime's kernels, value by value: `python -m benchmarks.numerics [--values 10_000_000]`.

Prints one line per operation: values compared, how many differ, the largest difference in codes. Exit status 1 if one differs that
must not: all must be equal except AveragePool marked "float order" (onnxruntime adds in float32, whose noise decides ties) or "ties",
operations on two tensors marked "ties" (several roundings to float32 decide them), and smooth functions taken from NumPy instead of
onnxruntime.
"""

import argparse
import sys
import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from benchmarks.comparisons import (
    Batches,
    Generator,
    add,
    average_window,
    conv,
    fast_path,
    float_pair,
    global_average,
    multiply,
    quantize,
    table,
)

__all__ = ["OPERATIONS", "Operation", "Result", "compare", "main"]


class Result(NamedTuple):
    """What a comparison found. `largest` is the largest difference in codes."""

    values: int
    mismatches: int
    largest: int


class Operation(NamedTuple):
    """A named endless stream of batches; `exact` says that no difference is allowed."""

    name: str
    batches: Callable[[Generator], Batches]
    exact: bool = True


def compare(operation: Operation, values: int, seed: int = 1) -> Result:
    """Run batches until `values` outputs have been compared."""
    count = mismatches = largest = 0
    for ours, theirs in operation.batches(np.random.default_rng(seed)):
        if not ours.size:
            continue
        difference = np.abs(ours.astype(np.int16) - theirs.astype(np.int16))
        count += difference.size
        mismatches += int(np.count_nonzero(difference))
        largest = max(largest, int(difference.max()))
        if count >= values:
            break
    return Result(count, mismatches, largest)


OPERATIONS = (
    Operation("requantize: QLinearConv int8", conv(False)),
    Operation("requantize: QLinearConv uint8", conv(True)),
    Operation("requantize_fast against requantize", fast_path),
    Operation("add: QLinearAdd int8", add(False)),
    Operation("add: QLinearAdd uint8", add(True)),
    Operation("multiply: QLinearMul int8", multiply(False)),
    Operation("multiply: QLinearMul uint8", multiply(True)),
    Operation("Q/DQ Sub, random scales (near ties)", float_pair("subtract"), exact=False),
    Operation("Q/DQ Sub, operands of one scale (near ties)", float_pair("subtract", "equal"), exact=False),
    Operation("Q/DQ Sub, half the result's scale (all ties)", float_pair("subtract", "half"), exact=False),
    Operation("Q/DQ Add not fused, random scales (near ties)", float_pair("add"), exact=False),
    Operation("Q/DQ Mul not fused, random scales (near ties)", float_pair("multiply"), exact=False),
    Operation("QLinearGlobalAveragePool int8", global_average(False)),
    Operation("QLinearGlobalAveragePool uint8", global_average(True)),
    Operation("QLinearAveragePool, random scales (float order)", average_window("random"), exact=False),
    Operation("QLinearAveragePool, powers of two (ties)", average_window("powers"), exact=False),
    Operation("QLinearAveragePool, one scale, odd windows", average_window("odd")),
    Operation("QLinearAveragePool, one scale, exact mean is no tie", average_window("no ties")),
    Operation("QLinearAveragePool, one scale, exact mean is a tie (float order)", average_window("ties"), exact=False),
    Operation("QLinearAveragePool, one scale, all windows (float order)", average_window("all"), exact=False),
    Operation("table: QLinearSigmoid", table("Sigmoid", fused=True)),
    Operation("table: QLinearLeakyRelu", table("LeakyRelu", fused=True, alpha=0.1)),
    Operation("table: Q/DQ Tanh", table("Tanh")),
    Operation("table: Q/DQ Elu", table("Elu")),
    Operation("table: Q/DQ Erf", table("Erf")),
    Operation("table: Q/DQ Softplus", table("Softplus")),
    Operation("table: Q/DQ HardSwish", table("HardSwish")),
    Operation("table: Q/DQ HardSigmoid", table("HardSigmoid")),
    Operation("quantize: QuantizeLinear", quantize),
)


def main(arguments: list[str] | None = None) -> int:
    """Run the comparisons and print the table; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.numerics", description=__doc__)
    parser.add_argument("--values", type=int, default=10_000_000, help="outputs to compare per operation")
    parser.add_argument("--only", default="", help="run the operations whose name contains this")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    print(f"| {'operation':<65} | {'values':>12} | {'different':>10} | {'largest':>7} | {'seconds':>7} |")
    print(f"|{'-' * 67}|{'-' * 13}:|{'-' * 11}:|{'-' * 8}:|{'-' * 8}:|")
    failed = False
    for operation in OPERATIONS:
        if options.only not in operation.name:
            continue
        start = time.perf_counter()
        values, mismatches, largest = compare(operation, options.values, options.seed)
        seconds = time.perf_counter() - start
        print(f"| {operation.name:<65} | {values:>12,} | {mismatches:>10,} | {largest:>7} | {seconds:>7.1f} |", flush=True)
        failed |= operation.exact and mismatches > 0
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
