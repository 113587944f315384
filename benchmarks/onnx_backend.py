"""ONNX's own node tests on Talos: which pass on the accelerator, which on the host, and which are refused, each with the reason.

    python -m benchmarks.onnx_backend [--op NAME …] [--write]

`--write` rewrites what the tests and the documentation hold: tests/backend/not_on_accelerator.toml and docs/onnx-backend.md.
"""

import argparse
import functools
import json
import re
import sys
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from onnx.backend.test.case.test_case import TestCase

from talos import backend
from talos.compiler.reading.load import is_quantized
from talos.errors import TalosError

__all__ = ["LISTED", "OPERATORS", "PAGE", "Outcome", "main", "markdown", "node_cases", "run_case"]

ROOT = Path(__file__).resolve().parents[1]
LISTED = ROOT / "tests" / "backend" / "not_on_accelerator.toml"
PAGE = ROOT / "docs" / "onnx-backend.md"

OPERATORS = (
    "Add", "AveragePool", "BatchNormalization", "Celu", "Clip", "Concat", "Conv", "ConvInteger", "ConvTranspose", "DepthToSpace",
    "DequantizeLinear", "Dropout", "Elu", "Flatten", "Gelu", "Gemm", "GlobalAveragePool", "GlobalMaxPool", "HardSigmoid", "HardSwish",
    "Identity", "LeakyRelu", "MatMul", "MatMulInteger", "MaxPool", "Mish", "Mul", "PRelu", "Pad", "QLinearConv", "QLinearMatMul",
    "QuantizeLinear", "ReduceMean", "Relu", "Reshape", "Resize", "Selu", "Sigmoid", "Slice", "Softmax", "Softplus", "Softsign",
    "SpaceToDepth", "Split", "Squeeze", "Sub", "Swish", "Tanh", "Transpose", "Unsqueeze", "Upsample",
)  # fmt: skip
"""The operators of convolutional networks. Cases in which ONNX expands one into others count as tests of these others, and are left out."""

Status = Literal["accelerator", "host", "refused", "wrong"]


@dataclass(frozen=True)
class Outcome:
    """What became of one case.

    `accelerator`: it passed, and all its nodes ran there or needed no operation. `host`: it passed, with a node on the host for `reason`.
    `refused`: it was not run, for `reason`. `wrong`: it ran, and its results are not what they must be.
    """

    name: str
    op: str
    status: Status
    reason: str = ""


@functools.cache
def node_cases() -> tuple[TestCase, ...]:
    """ONNX's test cases of a single node of `OPERATORS`, by operator and name. Their data are made when this is called first."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # ONNX's generators overflow and divide by zero on purpose
        np.random.seed(0)  # they use NumPy's global generator
        from onnx.backend.test.loader import load_model_tests

        cases = load_model_tests(kind="node")
    chosen = [case for case in cases if len(_nodes(case)) == 1 and _nodes(case)[0].op_type in OPERATORS]
    return tuple(sorted((case for case in chosen if "_expanded" not in case.name), key=lambda case: (operator(case), case.name)))


def _nodes(case: TestCase) -> Sequence[Any]:
    return case.model.graph.node if case.model is not None else ()


def operator(case: TestCase) -> str:
    """The operator that a case tests."""
    return str(_nodes(case)[0].op_type)


def run_case(case: TestCase) -> Outcome:
    """Run one case on the functional model and compare.

    Integer cases must be equal. Float cases may differ by ONNX's own tolerance and the bound of int8's error (`TalosRep.error_bounds`).
    """
    op, reasons = operator(case), []
    assert case.model is not None and case.data_sets is not None
    try:
        rep = backend.prepare(case.model)
        for inputs, expected in case.data_sets:
            found = rep.run(list(inputs))
            bounds = None if is_quantized(case.model) else rep.error_bounds(list(inputs))
            for index, (ours, theirs) in enumerate(zip(found, expected, strict=True)):
                difference = _difference(case, ours, theirs, bounds[index] if bounds else None)
                if difference:
                    return Outcome(case.name, op, "wrong", f"output {index}: {difference}")
    except TalosError as error:
        return Outcome(case.name, op, "refused", _plain(str(error)))
    except Exception as error:  # no case may end in any other error: shown as a wrong result, it fails the tests
        return Outcome(case.name, op, "wrong", f"{type(error).__name__}: {error}".splitlines()[0])
    compiled = rep.compiled
    assert compiled is not None
    reasons = [reason for part in compiled.program.host for reason in part.reasons]
    if reasons:
        return Outcome(case.name, op, "host", _plain(f"{reasons[0].reason}; {reasons[0].suggestion}"))
    return Outcome(case.name, op, "accelerator")


def _difference(case: TestCase, ours: Any, theirs: Any, bound: NDArray[np.float64] | None) -> str:
    """What is wrong with a result; empty if nothing is."""
    theirs = np.asarray(theirs)
    if ours.shape != theirs.shape or ours.dtype != theirs.dtype:
        return f"{ours.dtype} {ours.shape}, expected {theirs.dtype} {theirs.shape}"
    distance = np.abs(ours.astype(np.float64) - theirs.astype(np.float64))
    allowed = np.zeros(theirs.shape)
    if bound is not None or np.issubdtype(theirs.dtype, np.floating):
        allowed = case.atol + case.rtol * np.abs(theirs.astype(np.float64)) + (0 if bound is None else bound)
    wrong = ~((distance <= allowed) | (ours == theirs))
    if not wrong.any():
        return ""
    worst = np.unravel_index(int(np.argmax(np.where(wrong, distance - allowed, -np.inf))), theirs.shape)
    return (
        f"{int(wrong.sum())} of {wrong.size} elements are off; at {tuple(map(int, worst))} {ours[worst]!s}, expected {theirs[worst]!s} "
        f"± {allowed[worst]:.3g}"
    )


def _plain(message: str) -> str:
    """A message without the name of the file, which is the case's."""
    return re.sub(r"^\S*test_\w+(\.onnx)?: ", "", " ".join(message.split()))


def listing(outcomes: Iterable[Outcome]) -> str:
    """The TOML file with the cases that do not run on the accelerator."""
    lines = [
        "# ONNX's node tests that do not run on the accelerator, with the reason. Written by: python -m benchmarks.onnx_backend --write"
    ]
    for status in ("host", "refused"):
        lines += ["", f"[{status}]"]
        lines += [f"{o.name} = {json.dumps(o.reason, ensure_ascii=False)}" for o in outcomes if o.status == status]
    return "\n".join(lines) + "\n"


def markdown(outcomes: Sequence[Outcome]) -> str:
    """The page docs/onnx-backend.md."""
    return "\n".join(_page(outcomes)) + "\n"


def _page(outcomes: Sequence[Outcome]) -> Iterator[str]:
    counts = {status: sum(o.status == status for o in outcomes) for status in ("accelerator", "host", "refused", "wrong")}
    yield "# ONNX's node tests on Talos"
    yield ""
    yield "Written by `python -m benchmarks.onnx_backend --write`; do not edit."
    yield ""
    yield (
        "`talos.backend` implements ONNX's backend API, so that ONNX's own tests of single nodes run on Talos's functional model. Float "
        "cases are quantized to int8 with their own inputs as calibration samples; the bound of the error that this may make follows from "
        "the scales (`talos/backend/error_bounds.py`) and comes on top of ONNX's own tolerance. Integer cases must be exact. Inputs "
        "that are weights, scales, pads, shapes and the like are constants; images of a batch run one by one."
    )
    yield ""
    yield f"Of the {len(outcomes)} cases of operators that convolutional networks use"
    yield ""
    yield f"- {counts['accelerator']} pass on the accelerator,"
    yield f"- {counts['host']} pass with the node on the host (in onnxruntime),"
    yield f"- {counts['refused']} are not supported."
    yield ""
    yield "| operator | cases | accelerator | host | not supported |"
    yield "|---|---|---|---|---|"
    for op in dict.fromkeys(o.op for o in outcomes):
        mine = [o for o in outcomes if o.op == op]
        numbers = (sum(o.status == status for o in mine) for status in ("accelerator", "host", "refused"))
        yield f"| {op} | {len(mine)} | " + " | ".join(str(number or "") for number in numbers) + " |"
    yield ""
    yield "## Cases that do not run on the accelerator"
    yield ""
    yield "| case | result | reason |"
    yield "|---|---|---|"
    for o in outcomes:
        if o.status != "accelerator":
            result = {"host": "passed on the host", "refused": "not supported", "wrong": "wrong"}[o.status]
            yield f"| `{o.name}` | {result} | {o.reason.replace('|', '∣')} |"


def main(arguments: list[str] | None = None) -> int:
    """Print the table. Exit status 0, or 1 if a case gives wrong results."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.onnx_backend", description=__doc__.splitlines()[0])
    parser.add_argument("--op", action="append", choices=OPERATORS, metavar="NAME", help="only this operator")
    parser.add_argument("--write", action="store_true", help="rewrite the list of the tests and the page of the documentation")
    options = parser.parse_args(arguments)
    if options.write and options.op:
        parser.error("--write needs all operators")
    outcomes = []
    for case in node_cases():
        if not options.op or operator(case) in options.op:
            outcomes.append(run_case(case))
            print(f"{outcomes[-1].status:12} {case.name}  {outcomes[-1].reason}", flush=True)
    for status in ("accelerator", "host", "refused", "wrong"):
        print(f"{sum(outcome.status == status for outcome in outcomes):4} {status}")
    if options.write:
        LISTED.write_text(listing(outcomes))
        PAGE.write_text(markdown(outcomes))
    return int(any(outcome.status == "wrong" for outcome in outcomes))


if __name__ == "__main__":
    sys.exit(main())
