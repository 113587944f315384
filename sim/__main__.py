"""`python -m sim`: runs the benches, all or by name, two at a time; exit status 1 if a test fails."""

import argparse
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed

from sim.benches import BENCHES
from sim.runner import ROOT, Result, run
from talos.errors import TalosError

__all__ = ["main"]

_PARALLEL = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status: 0, 1 if a test failed, 2 for bad arguments or a missing tool."""
    parser = argparse.ArgumentParser(prog="python -m sim", description="cocotb benches of the generated Verilog")
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help="benches to run (default: all); NAME.TEST runs one test of a bench"
    )
    parser.add_argument("--list", action="store_true", help="show the benches and stop")
    parser.add_argument("--waves", action="store_true", help="record all signals in a VCD file (a separate, slower build)")
    parser.add_argument("--seed", type=int, default=1, help="of everything random (default: 1)")
    options = parser.parse_args(arguments)
    if options.list:
        for bench in BENCHES.values():
            print(f"{bench.name:<12}{bench.doc} ({', '.join(design.name for design in bench.designs)})")
        return 0
    wanted: dict[str, list[str]] = {}
    for name in options.names or BENCHES:
        bench_name, _, test = name.partition(".")
        if bench_name not in BENCHES:
            parser.error(f"no bench '{bench_name}'; there are {', '.join(BENCHES)}")
        wanted.setdefault(bench_name, []).extend([test] if test else [])

    begin = time.perf_counter()
    passed = failed = 0
    with ThreadPoolExecutor(_PARALLEL) as pool:
        jobs = [
            pool.submit(run, BENCHES[name], design, seed=options.seed, waves=options.waves, tests=tests)
            for name, tests in wanted.items()
            for design in BENCHES[name].designs
        ]
        try:
            for job in as_completed(jobs):
                result = job.result()
                passed += result.passed
                failed += len(result.failures)
                _print(result)
        except TalosError as error:
            pool.shutdown(cancel_futures=True)
            print(f"sim: error: {error}", file=sys.stderr)
            return 2
    print(f"{passed} passed, {failed} failed in {time.perf_counter() - begin:.0f} s (seed {options.seed})")
    return 1 if failed else 0


def _print(result: Result) -> None:
    verdict = "FAIL" if result.failures else "pass"
    count = result.passed + len(result.failures)
    times = f"build {result.build_seconds:5.1f} s, run {result.run_seconds:5.1f} s"
    print(f"{verdict}  {result.bench.name:<12}{result.design.name:<34}{count:>3} tests  {times}", flush=True)
    for failure in result.failures:
        print(f"      {failure.test}: {failure.reason}")
    if result.failures:
        print(f"      log: {result.log.relative_to(ROOT)}")
    if result.waves is not None:
        print(f"      waves: {result.waves.relative_to(ROOT)}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
