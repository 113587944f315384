"""The Pareto front of an exploration for the terminal."""

from collections.abc import Iterator, Sequence
from dataclasses import fields

from rich import box
from rich.table import Table

from talos.config import AcceleratorConfig
from talos.explore.budget import RESOURCES
from talos.explore.explore import SHARE, Exploration
from talos.explore.synthesis import Synthesized

__all__ = ["config_text", "exploration_lines", "front_table", "synthesis_table"]

_TITLES = {"lut": "LUT", "ff": "FF", "dsp": "DSP", "bram": "block RAM"}
_SIZES = {"activation_bytes": "act", "weight_fifo_bytes": "weights", "parameter_bytes": "param"}
_SHORT = {"activation_banks": "banks", "accumulator_depth": "acc", "axi_data_width": "axi"}
_IN_NAME = ("rows", "cols")  # what the name of a configuration tells
_K = 1024


def _table() -> Table:
    return Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))


def front_table(result: Exploration) -> Table:
    """Configuration, cycles of each network and their geometric mean, estimated area and its share of the budget; fastest first."""
    front = result.front
    names = list(front[0].cycles) if front else []
    table = _table()
    table.add_column("configuration", no_wrap=True)
    for name in [*names, *(["mean"] if len(names) > 1 else []), *_TITLES.values(), "budget"]:
        table.add_column(name, justify="right", overflow="fold")
    table.add_column("differs in", overflow="fold")
    varying = _fields(result, vary=True)
    for trial in front:
        mean = [f"{trial.mean_cycles:,.0f}"] if len(names) > 1 else []
        area = trial.area.to_json()
        table.add_row(
            trial.config.name,
            *(f"{trial.cycles[name]:,}" for name in names),
            *mean,
            *(f"{area[name]:,}" for name in RESOURCES),
            f"{result.budget.share(trial.area):.1%}",
            config_text(trial.config, varying),
        )
    return table


def config_text(config: AcceleratorConfig, names: Sequence[str]) -> str:
    """The values of these fields, shortly: `lanes 4, act 64K, pool`."""
    return ", ".join(filter(None, (_field_text(name, getattr(config, name)) for name in names)))


def _field_text(name: str, value: int | bool) -> str:
    if isinstance(value, bool):
        return name if value else ""
    if name in _SIZES:
        return f"{_SIZES[name]} {value / _K:g}K"
    return f"{_SHORT.get(name, name)} {value}"


def _fields(result: Exploration, *, vary: bool) -> list[str]:
    """Fields in which the front's configurations differ, or in which all are alike; without the array's size."""
    configs = [trial.config for trial in result.front]
    names = (field.name for field in fields(AcceleratorConfig) if field.name not in _IN_NAME)
    return [name for name in names if (len({getattr(config, name) for config in configs}) > 1) == vary]


def exploration_lines(result: Exploration) -> Iterator[str]:
    """How many configurations, and what the columns mean."""
    failed = [trial for trial in result.trials if trial.error]
    yield (
        f"{len(result.trials):,} configurations tried ({result.computed:,} simulations now, the rest known), {len(result.front)} on the Pareto "
        f"front of cycles and {'mean share of the budget' if result.area == SHARE else _TITLES[result.area]}"
    )
    alike = _fields(result, vary=False)
    yield f"all of the front: {config_text(result.front[0].config, alike)}; left out: {_left_out(result.front[0].config, alike)}"
    yield f"budget: {', '.join(f'{_TITLES[name]} {limit:,g}' for name, limit in result.budget.limits.items())}; area is estimated"
    if failed:
        yield f"{len(failed):,} configurations cannot hold a network, e.g. {failed[0].config.name}: {failed[0].error}"


def _left_out(config: AcceleratorConfig, names: Sequence[str]) -> str:
    return ", ".join(name for name in names if getattr(config, name) is False) or "nothing"


def synthesis_table(results: Sequence[Synthesized]) -> Table:
    """Area as synthesized, and how far that is from the estimate."""
    table = _table()
    table.add_column("synthesized", no_wrap=True)
    for name in RESOURCES:
        table.add_column(_TITLES[name], justify="right")
        table.add_column("vs estimate", justify="right")
    table.add_column("budget")
    for result in results:
        area = result.area.to_json()
        cells = [text for name in RESOURCES for text in (f"{area[name]:,}", f"{result.difference[name]:+.1%}")]
        table.add_row(result.trial.config.name, *cells, f"over: {', '.join(result.exceeded)}" if result.exceeded else "fits")
    return table
