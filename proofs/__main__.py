"""`python -m proofs`: proves all, a block, or one claim, two at a time; exit status 1 if a claim does not hold.

With `--seeded` each fault is put into the design and must be found.
"""

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import TypeVar

from proofs.catalogue import PROOFS
from proofs.engine import FOLDER, Outcome, run
from proofs.page import write_page
from proofs.proof import Fault, Method, Proof
from proofs.source import Faulty, design
from talos.errors import TalosError

__all__ = ["main"]

_PARALLEL = 2
_Job = TypeVar("_Job")
_Result = TypeVar("_Result")


def main(arguments: Sequence[str] | None = None, proofs: Sequence[Proof] = PROOFS) -> int:
    """Exit status: 0, 1 if a claim does not hold or a fault is not found, 2 for bad arguments or a missing tool."""
    parser = argparse.ArgumentParser(prog="python -m proofs", description="formal proofs of queues, arbiters and bus interfaces")
    parser.add_argument("names", nargs="*", metavar="NAME", help="blocks or BLOCK.CLAIM to prove (default: all)")
    parser.add_argument("--list", action="store_true", help="show the claims and stop")
    parser.add_argument("--seeded", action="store_true", help="seed each known fault instead: every one must be found")
    parser.add_argument("--page", action="store_true", help="write the table of docs/verification.md and stop")
    options = parser.parse_args(arguments)
    known = {proof.title for proof in proofs} | {proof.block for proof in proofs}
    for name in options.names:
        if name not in known:
            parser.error(f"no proof '{name}'; there are {', '.join(sorted(known))}")
    chosen = [p for p in proofs if not options.names or p.title in options.names or p.block in options.names]
    if options.list:
        for proof in chosen:
            print(f"{proof.title:<26}{proof.how:<22}{proof.claim}")
        return 0
    if options.page:
        write_page(proofs)
        return 0
    try:
        return _seeded(chosen) if options.seeded else _proven(chosen)
    except TalosError as error:
        print(f"proofs: error: {error}", file=sys.stderr)
        return 2


def _proven(proofs: Sequence[Proof]) -> int:
    begin = time.perf_counter()
    outcomes = _all(lambda proof: run(proof, design), proofs, _print)
    print(f"\n{'claim':<26}{'method':<22}{'result':<10}{'seconds':>7}")
    for proof in proofs:
        outcome = next(outcome for outcome in outcomes if outcome.proof is proof)
        print(f"{proof.title:<26}{proof.how:<22}{_verdict(outcome):<10}{outcome.seconds:>7.1f}")
    failed = sum(not outcome.proven for outcome in outcomes)
    print(f"{len(outcomes) - failed} of {len(outcomes)} hold, in {time.perf_counter() - begin:.0f} s")
    return 1 if failed else 0


def _seeded(proofs: Sequence[Proof]) -> int:
    begin = time.perf_counter()
    faults = [(proof, fault, i) for proof in proofs for i, fault in enumerate(proof.faults)]
    missed: list[str] = []

    def seed(case: tuple[Proof, Fault, int]) -> tuple[Outcome, Fault]:
        proof, fault, index = case
        return run(proof, Faulty(fault), name=f"{proof.title}-fault-{index}", refute=True), fault

    def report(result: tuple[Outcome, Fault]) -> None:
        outcome, fault = result
        if outcome.proven:
            missed.append(fault.name)
        found = "MISSED" if outcome.proven else "found"
        print(
            f"{found:<8}{outcome.proof.title:<26}{outcome.seconds:>6.1f} s  {fault.name}: {outcome.reason or 'no effect'}",
            flush=True,
        )

    _all(seed, faults, report)
    print(f"{len(faults) - len(missed)} of {len(faults)} seeded faults found, in {time.perf_counter() - begin:.0f} s")
    return 1 if missed else 0


def _all(job: Callable[[_Job], _Result], jobs: Sequence[_Job], report: Callable[[_Result], None]) -> list[_Result]:
    """Results in the order in which they came. The first exception cancels what has not begun."""
    results = []
    with ThreadPoolExecutor(_PARALLEL) as pool:
        futures = [pool.submit(job, each) for each in jobs]
        try:
            for future in as_completed(futures):
                results.append(future.result())
                report(results[-1])
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return results


def _verdict(outcome: Outcome) -> str:
    if not outcome.proven:
        return "FAILS"
    return {Method.INDUCTION: "proven", Method.BOUNDED: "holds", Method.STRUCTURE: "proven"}[outcome.proof.method]


def _print(outcome: Outcome) -> None:
    print(f"{_verdict(outcome):<8}{outcome.proof.title:<26}{outcome.seconds:>6.1f} s  {outcome.proof.claim}", flush=True)
    if not outcome.proven:
        print(f"        {outcome.reason}; see {FOLDER / outcome.proof.title}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
