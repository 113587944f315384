"""The trials of an exploration as a plot in one HTML page that needs no network."""

from dataclasses import fields
from pathlib import Path

from talos.errors import TalosError
from talos.explore.explore import SHARE, Exploration
from talos.explore.trial import Trial
from talos.program import write_atomically
from talos.report.exploration import config_text

__all__ = ["require_plot", "write_plot"]

_AXES = {SHARE: "area: mean share of the budget", "lut": "LUT", "ff": "FF", "dsp": "DSP", "bram": "block RAM"}


def require_plot(path: Path) -> None:
    """Raise TalosError, before the work, if a plot cannot be written at `path`: no .html, or Plotly is missing."""
    if path.suffix.lower() not in (".html", ".htm"):
        raise TalosError(f"--plot {path}: plots are HTML pages; name a file that ends in .html")
    try:
        import plotly.graph_objects  # noqa: F401 - only whether it is there
    except ModuleNotFoundError as error:
        raise TalosError(
            "--plot needs the package 'plotly'; install it with: pip install 'talos-accelerator[explore]'"
        ) from error


def write_plot(result: Exploration, path: Path) -> None:
    """Cycles over area, both on the axes of the objectives: all trials, the front as a line; the configuration on hover."""
    import plotly.graph_objects as go

    front = result.front
    chosen = {trial.config for trial in front}
    others = [trial for trial in result.trials if not trial.error and trial.config not in chosen]
    figure = go.Figure()
    for trials, name, mode in ((others, "tried", "markers"), (front, "Pareto front", "lines+markers")):
        figure.add_trace(
            go.Scatter(
                x=[trial.share for trial in trials],
                y=[trial.mean_cycles for trial in trials],
                text=[_hover(trial) for trial in trials],
                hovertemplate="%{text}<extra></extra>",
                mode=mode,
                name=name,
                marker={"size": 6 if trials is others else 10, "opacity": 0.5 if trials is others else 1},
                line={"shape": "vh"},
            )
        )
    several = len(front[0].cycles) > 1 if front else False
    figure.update_layout(
        title=f"{', '.join(front[0].cycles) if front else 'no configuration'}: cycles and area within {result.budget}",
        xaxis={"title": _AXES[result.area], "tickformat": ".0%" if result.area == SHARE else ",d", "rangemode": "tozero"},
        yaxis={"title": "cycles of an image" + (", geometric mean" if several else ""), "type": "log"},
        template="plotly_white",
    )
    page = figure.to_html(include_plotlyjs=True, full_html=True, div_id="front")
    write_atomically(path, lambda file: file.write(page.encode()))


def _hover(trial: Trial) -> str:
    cycles = "<br>".join(f"{name}: {value:,} cycles" for name, value in trial.cycles.items())
    area = trial.area.to_json()
    text = config_text(trial.config, [field.name for field in fields(trial.config)]).replace(", ", "<br>")
    resources = f"{area['lut']:,} LUT, {area['ff']:,} FF, {area['dsp']:,} DSP, {area['bram']:,} block RAM"
    return f"<b>{trial.config.name}</b><br>{cycles}<br>{resources}<br>{text}"
