"""The command: see the package. Exit status 1 if anything differs; each difference comes with the command that repeats it alone."""

import argparse
import sys
import time
from collections import Counter
from dataclasses import dataclass, field

from talos.config import AcceleratorConfig
from tests.rtl_random.cases import KINDS, CaseId, make_case
from tests.rtl_random.compare import Bench
from tests.rtl_random.configs import random_config

__all__ = ["main"]

SHOWN = 20  # differing cases described in full
PROGRESS_SECONDS = 10


@dataclass
class Totals:
    """What was run on one configuration, or on all."""

    cases: int = 0
    wrong: int = 0
    cycles: int = 0
    bytes: int = 0
    events: int = 0
    features: Counter[str] = field(default_factory=Counter)

    def __iadd__(self, other: "Totals") -> "Totals":
        self.cases += other.cases
        self.wrong += other.wrong
        self.cycles += other.cycles
        self.bytes += other.bytes
        self.events += other.events
        self.features += other.features
        return self


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; the exit status."""
    options = _parse(arguments)
    if options.case:
        index, kind, number = options.case
        ids = {index: [CaseId(options.seed, index, kind, number)]}
    else:
        counts = {"conv": options.cases, "other": options.others, "graph": options.graphs}
        ids = {index: _share(options.seed, index, options.configs, counts) for index in range(options.configs)}
    total, table = Totals(), []
    for index, cases in ids.items():
        config = random_config(options.seed, index)
        print(f"configuration {index}: {describe(config)}", flush=True)
        totals = _run(config, cases, total.wrong)
        table.append((config, totals))
        total += totals
    _summary(table, total, options.seed)
    return 1 if total.wrong else 0


def describe(config: AcceleratorConfig) -> str:
    """The configuration's parameters in a line."""
    left_out = [option for option in ("residual", "multiply", "lookup", "pool", "depthwise") if not getattr(config, option)]
    return (
        f"{config.rows}x{config.cols}, {config.lanes} lanes, AXI {config.axi_data_width} bits, bursts of {config.max_burst}, "
        f"activations {config.activation_bytes} in {config.activation_banks} banks, accumulators {config.accumulator_depth}, "
        f"weight FIFO {config.weight_fifo_bytes}, parameters {config.parameter_bytes}, queues {config.queue_depth}, "
        f"without {', '.join(left_out) or 'no option'}"
    )


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.rtl_random", description=sys.modules["tests.rtl_random"].__doc__)
    parser.add_argument("--cases", type=int, default=500, help="cases with a convolution, alone or with a neighbour (500)")
    parser.add_argument(
        "--others", type=int, help="cases of the vector unit alone: pooling, operations of two tensors, tables (cases / 5)"
    )
    parser.add_argument("--graphs", type=int, nargs="?", const=-1, default=0, help="small networks with branches (0; cases / 5)")
    parser.add_argument("--configs", type=int, default=6, help="random configurations, each with its share of the cases (6)")
    parser.add_argument("--seed", type=int, default=1, help="decides everything (1)")
    parser.add_argument("--case", type=_case, metavar="CONFIG:KIND:NUMBER", help="only this case of the seed")
    options = parser.parse_args(arguments)
    if options.others is None:
        options.others = options.cases // 5
    if options.graphs < 0:
        options.graphs = options.cases // 5
    if options.configs < 1 or options.seed < 0 or min(options.cases, options.others) < 0:
        parser.error("--configs must be at least 1, and no number negative")
    return options


def _case(text: str) -> tuple[int, str, int]:
    config, kind, number = text.split(":")
    if kind not in KINDS:
        raise ValueError(kind)
    return int(config), kind, int(number)


def _share(seed: int, index: int, configs: int, counts: dict[str, int]) -> list[CaseId]:
    """The cases of configuration `index`: its part of each kind's count, numbered from 0."""
    parts = {kind: len(range(index, count, configs)) for kind, count in counts.items()}
    return [CaseId(seed, index, kind, number) for kind, count in parts.items() for number in range(count)]


def _run(config: AcceleratorConfig, ids: list[CaseId], wrong_before: int) -> Totals:
    totals = Totals()
    started = shown = time.monotonic()
    with Bench(config) as bench:
        print(f"  Verilog ready after {time.monotonic() - started:.0f} s", flush=True)
        for case_id in ids:
            result = bench.run(make_case(case_id, config))
            totals += Totals(1, bool(result.differences), result.cycles, result.bytes, result.events, Counter(result.features))
            if result.differences and wrong_before + totals.wrong <= SHOWN:
                print(f"  DIFFERENT: python -m tests.rtl_random --seed {case_id.seed} --case {case_id}")
                print("".join(f"    {line}\n" for line in result.differences), end="", flush=True)
            if time.monotonic() - shown > PROGRESS_SECONDS:
                shown = time.monotonic()
                print(f"  {totals.cases} of {len(ids)} cases, {totals.wrong} different", flush=True)
    print(f"  {totals.cases} cases, {totals.wrong} different, {time.monotonic() - started:.0f} s", flush=True)
    return totals


def _summary(table: list[tuple[AcceleratorConfig, Totals]], total: Totals, seed: int) -> None:
    print(f"\n{'configuration':<16}{'cases':>7}{'different':>11}{'Verilog cycles':>16}{'bytes':>10}{'starts, ends':>14}")
    rows = [(config.name, totals) for config, totals in table]
    for name, totals in [*rows, ("all", total)]:
        print(f"{name:<16}{totals.cases:>7}{totals.wrong:>11}{totals.cycles:>16,}{totals.bytes:>10,}{totals.events:>14,}")
    print("\ncases with " + ", ".join(f"{name} {count}" for name, count in sorted(total.features.items())))
    verdict = f"{total.wrong} of {total.cases} cases DIFFERENT" if total.wrong else f"all {total.cases} cases equal"
    print(f"seed {seed}: {verdict} (bytes: reference, functional model, Verilog; cycles, counters, trace: cycle model, Verilog)")


if __name__ == "__main__":
    sys.exit(main())
