"""talos explore"""

import os
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from talos.cli.options import CalibrateOption, JsonOption, MemoryOption, QuietOption
from talos.cli.sources import optional_arrays, sample_file
from talos.errors import TalosError

if TYPE_CHECKING:
    from talos.config import AcceleratorConfig
    from talos.explore.explore import Exploration
    from talos.explore.network import Network
    from talos.explore.search import Fits, Search
    from talos.explore.space import Space
    from talos.explore.workers import Workers

__all__ = ["explore_command"]


class Method(StrEnum):
    """How configurations are chosen."""

    OPTUNA = "optuna"
    GRID = "grid"


class Area(StrEnum):
    """What counts as area."""

    SHARE = "share"
    LUT = "lut"
    FF = "ff"
    DSP = "dsp"
    BRAM = "bram"


def explore_command(
    models: Annotated[list[Path], typer.Argument(metavar="MODEL.onnx…", help="Networks to be fast on.", show_default=False)],
    space: Annotated[
        Path | None,
        typer.Option(
            "--space", metavar="FILE", help="TOML, YAML or JSON: values of each configuration field (default: a wide space)."
        ),
    ] = None,
    budget: Annotated[
        str | None,
        typer.Option(
            "--budget", metavar="lut=N,dsp=N,…", help="The most it may take of lut, ff, dsp, bram (default: the device)."
        ),
    ] = None,
    device: Annotated[str, typer.Option("--device", "-d", metavar="NAME", help="ecp5-25k, ecp5-45k or ecp5-85k.")] = "ecp5-85k",
    area: Annotated[
        Area, typer.Option("--area", help="Cost beside the cycles: mean share of the budget, or one resource.")
    ] = Area.SHARE,
    method: Annotated[Method, typer.Option("--method", help="Learn from the trials, or try all of the space.")] = Method.OPTUNA,
    trials: Annotated[int, typer.Option("--trials", "-n", metavar="N", min=1, help="Configurations to try (optuna).")] = 300,
    seed: Annotated[
        int, typer.Option("--seed", metavar="N", min=0, help="Another seed tries other configurations (optuna).")
    ] = 0,
    jobs: Annotated[
        int | None,
        typer.Option("--jobs", "-j", metavar="N", min=1, help="Processes (default: one per core).", show_default=False),
    ] = None,
    dask: Annotated[
        str | None,
        typer.Option("--dask", metavar="ADDRESS", help="Run the trials on this Dask cluster instead.", show_default=False),
    ] = None,
    synth: Annotated[bool, typer.Option("--synth", help="Synthesize the Pareto configurations too: minutes each.")] = False,
    memory: MemoryOption = "",
    calibrate: CalibrateOption = None,
    results: Annotated[
        Path | None,
        typer.Option("--results", metavar="FILE.jsonl", help="Finished trials (default: in the cache).", show_default=False),
    ] = None,
    plot: Annotated[
        Path | None, typer.Option("--plot", metavar="FRONT.html", help="Write a plot of all trials.", show_default=False)
    ] = None,
    json_path: JsonOption = None,
    quiet: QuietOption = False,
) -> None:
    """Search configurations for the fewest cycles and the least area: exact cycles, estimated area, their Pareto front.

    Finished trials are kept: after Ctrl-C the same command goes on where it was. A float model is quantized with the samples in
    --calibrate or, without it, those beside the model (MODEL.npz).
    """
    from talos.cache import cache_directory
    from talos.cli.terminal import Terminal, require_writable
    from talos.explore.area import area_model
    from talos.explore.budget import Budget
    from talos.explore.explore import explore
    from talos.explore.features import feature_choices
    from talos.explore.network import load_network
    from talos.explore.space import load_space
    from talos.explore.store import Store
    from talos.explore.synthesis import synthesize_front
    from talos.memory import MemoryTiming
    from talos.report.exploration import exploration_lines, front_table, synthesis_table
    from talos.report.exploration_plot import require_plot, write_plot
    from talos.synth.devices import find_device

    terminal = Terminal(quiet=quiet, json_path=json_path)
    target, _ = find_device(device)
    limits = Budget.of(target, budget)
    estimate = area_model(target)
    timing = MemoryTiming.parse(memory)
    candidates = load_space(space)
    if plot is not None:
        require_writable(plot)
        require_plot(plot)
    store = Store(results or cache_directory() / "explore" / "results.jsonl", timing)
    networks: list[Network] = []
    checked = []
    with terminal.progress() as progress:
        for path in models:
            progress(f"reading {path.name}", 0, 0)
            networks.append(load_network(path, optional_arrays(calibrate or sample_file(path))))
        _require_distinct(networks)
        if space is None:
            progress("which optional features do the networks need", 0, 0)
            candidates = candidates.with_choices(feature_choices(networks, candidates.base, timing))

        def fits(config: "AcceleratorConfig") -> bool:
            return not limits.exceeded(estimate.estimate(config))

        search = _search(method, candidates, fits, trials, seed)
        with _workers(networks, dask, jobs) as workers:
            result = explore(
                networks, search, workers, store, model=estimate, budget=limits, area=area.value, memory=timing, progress=progress
            )
        _require_front(result)
        if synth:
            checked = synthesize_front(result.front, target, limits, progress)
    for network in networks:
        if network.on_host:
            terminal.line(f"{network.name}: {network.on_host} nodes run on the host; their time is not counted")
    terminal.show(front_table(result))
    terminal.line()
    terminal.lines(exploration_lines(result))
    if checked:
        terminal.line()
        terminal.show(synthesis_table(checked))
    if plot is not None:
        write_plot(result, plot)
        terminal.line(f"plot: {plot}")
    terminal.write_json({"device": target.name, **result.to_json(), "synthesized": [entry.to_json() for entry in checked]})


def _require_distinct(networks: "list[Network]") -> None:
    names = [network.name for network in networks]
    for name in names:
        if names.count(name) > 1:
            raise TalosError(f"two of the models are called {name}; give each another file name, the results are listed by it")


def _search(method: Method, space: "Space", fits: "Fits", trials: int, seed: int) -> "Search":
    from talos.explore.optuna_search import OptunaSearch
    from talos.explore.search import GridSearch

    return GridSearch(space, fits) if method is Method.GRID else OptunaSearch(space, fits, trials=trials, seed=seed)


def _workers(networks: "list[Network]", dask: str | None, jobs: int | None) -> "Workers":
    from talos.explore.cluster import DaskWorkers
    from talos.explore.workers import LocalWorkers

    if dask is not None:
        return DaskWorkers(networks, dask)
    return LocalWorkers(networks, jobs or len(os.sched_getaffinity(0)))


def _require_front(result: "Exploration") -> None:
    """Raise TalosError if there is nothing to show."""
    if result.front:
        return
    if not result.trials:
        raise TalosError(f"no configuration of the space fits the budget {result.budget}; raise --budget or widen --space")
    raise TalosError(f"no configuration that was tried can hold the networks: {result.trials[0].error}")
