"""Cycles of well-known networks: `python -m benchmarks.networks [--config 16x16] [--only resnet18] [--layers] [--json FILE]`.

Builds each network with seeded weights, compiles it, runs the cycle model, and compares with the peak of the array's multipliers and with
the lower bound of `benchmarks.bound`. The models are kept in Talos's cache, or in the folder given by --models, where
`talos verify` can check their values.
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.bound import layer_bound, network_bound
from benchmarks.zoo import NETWORKS, build_network, model_file
from talos.compiler.frontend import build_graph
from talos.compiler.graph.ir import Graph
from talos.compiler.scheduling.schedule import schedule
from talos.config import AcceleratorConfig, load_config
from talos.errors import TalosError
from talos.memory import MemoryTiming
from talos.model.timing.core import Timing, simulate
from talos.program import Program, write_atomically
from talos.runtime.layers import layer_cycles
from talos.runtime.traffic import dram_bytes

__all__ = ["Measurement", "Result", "main", "measure"]

PRESETS_MEASURED = ("8x8", "16x16", "32x32")
WIDTH = 120  # of a table in a file


@dataclass(frozen=True)
class Result:
    """One line of the table. Fractions are of 1; seconds are wall time. `dram_bytes`: moved over AXI, instructions included."""

    network: str
    config: str
    macs: int
    cycles: int
    peak_fraction: float
    bound: int
    bound_fraction: float
    dram_bytes: int
    compile_seconds: float
    simulate_seconds: float


@dataclass(frozen=True)
class Measurement:
    """`result` with what it was made from."""

    result: Result
    graph: Graph
    program: Program
    timing: Timing


def measure(path: Path, config: AcceleratorConfig, memory: MemoryTiming) -> Measurement:
    """Compile and simulate the quantized model at `path`. Raises TalosError as the compiler does."""
    begin = time.perf_counter()
    front = build_graph(path)
    program = schedule(front.graph, config, front.node_placement)
    compiled = time.perf_counter()
    timing = simulate(program, memory)
    end = time.perf_counter()
    bound = network_bound(front.graph, config)
    result = Result(
        network=path.stem,
        config=config.name,
        macs=program.macs,
        cycles=timing.cycles,
        peak_fraction=program.macs / (config.peak_macs * timing.cycles),
        bound=bound,
        bound_fraction=bound / timing.cycles,
        dram_bytes=dram_bytes(program),
        compile_seconds=compiled - begin,
        simulate_seconds=end - compiled,
    )
    return Measurement(result, front.graph, program, timing)


def _table(results: Sequence[Result], memory: MemoryTiming) -> Table:
    table = Table(box=box.SIMPLE_HEAD, title=f"DRAM: {memory}", title_justify="left", pad_edge=False)
    for column in ("network", "config"):
        table.add_column(column)
    for column in ("MMAC", "cycles", "of peak", "bound", "of bound", "DRAM MB", "compile s", "simulate s"):
        table.add_column(column, justify="right")
    previous = results[0].network if results else ""
    for r in results:
        if r.network != previous:
            table.add_section()
            previous = r.network
        table.add_row(
            r.network,
            r.config,
            f"{r.macs / 1e6:,.0f}",
            f"{r.cycles:,}",
            f"{r.peak_fraction:.1%}",
            f"{r.bound:,}",
            f"{r.bound_fraction:.1%}",
            f"{r.dram_bytes / 1e6:.1f}",
            f"{r.compile_seconds:.1f}",
            f"{r.simulate_seconds:.1f}",
        )
    return table


def _layer_table(measurement: Measurement) -> Table:
    """Each layer's cycles, the bound's, and what most of them were spent on."""
    result = measurement.result
    table = Table(box=box.SIMPLE_HEAD, title=f"{result.network} on {result.config}", title_justify="left", pad_edge=False)
    for column in ("layer", "op", "output"):
        table.add_column(column)
    for column in ("cycles", "bound", "lost", "of all lost"):
        table.add_column(column, justify="right")
    table.add_column("bound by")
    executed = [layer for layer in measurement.graph.layers if not layer.placed]
    lost_in_all = max(1, result.cycles - result.bound)
    for layer, row in zip(executed, layer_cycles(measurement.program, measurement.timing), strict=False):
        bound = layer_bound(layer, measurement.program.config)
        lost = row.cycles - bound
        shape = "×".join(map(str, layer.output.shape))
        table.add_row(
            row.name, row.op, shape, f"{row.cycles:,}", f"{bound:,}", f"{lost:,}", f"{lost / lost_in_all:.1%}", row.bound
        )
    return table


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.networks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--config", nargs="+", action="extend", metavar="PRESET|FILE.json")
    parser.add_argument("--only", nargs="+", action="extend", metavar="NAME", help=", ".join(NETWORKS))
    parser.add_argument("--memory", default="", metavar="NAME=N,…", help="latency, bytes_per_cycle, outstanding, stall, seed")
    parser.add_argument("--models", type=Path, metavar="DIR", help="keep the ONNX files here instead of in the cache")
    parser.add_argument("--layers", action="store_true", help="show where each network's cycles go")
    parser.add_argument("--json", metavar="FILE|-", help="write the results; - is standard output, instead of the tables")
    return parser


def _run(options: argparse.Namespace, output: Console, progress: Console) -> list[Result]:
    configs, memory = [load_config(name) for name in options.config or PRESETS_MEASURED], MemoryTiming.parse(options.memory)
    results = []
    with progress.status("Building models") as status:
        files = [model_file(name, options.models) for name in (options.only or list(NETWORKS))]
        status.update("Compiling the simulator")
        _warm_up(configs[0], files[0].parent)
        for path in files:
            for config in configs:
                status.update(f"{path.stem} on {config.name}")
                measurement = measure(path, config, memory)
                results.append(measurement.result)
                if options.layers and options.json != "-":
                    output.print(_layer_table(measurement))
    if options.json != "-":
        output.print(_table(results, memory))
    if options.json:
        text = json.dumps([asdict(result) for result in results], indent=1) + "\n"
        if options.json == "-":
            sys.stdout.write(text)
        else:
            write_atomically(options.json, lambda file: file.write(text.encode()))
    return results


def _console() -> Console:
    """Standard output: on a terminal as wide as that is, in a file wide enough for the tables."""
    console = Console()
    return console if console.is_terminal else Console(width=WIDTH)


def _warm_up(config: AcceleratorConfig, folder: Path) -> None:
    """Run a small network, so that no time measured has the just-in-time compilation of the cycle model in it."""
    path = folder / "warm_up.onnx"
    if not path.is_file():
        model = build_network("resnet18", 32, 1 / 16)
        write_atomically(path, lambda file: file.write(model))
    measure(path, config, MemoryTiming())


def main(arguments: list[str] | None = None) -> int:
    """Run the benchmark; returns the exit status."""
    try:
        _run(_parser().parse_args(arguments), _console(), Console(stderr=True))
    except TalosError as error:
        print(f"benchmarks.networks: error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
