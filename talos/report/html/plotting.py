"""Plotly, the plotting library of the page, and the look that all plots share."""

import importlib.util
import json
from collections.abc import Mapping, Sequence
from typing import Any

from talos.errors import TalosError
from talos.report.html.palette import GRID, INK, MUTED

__all__ = ["figure_json", "library_source", "require_plotly"]

_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif"


def require_plotly() -> None:
    """Raise TalosError, naming the extra to install, if plotly is missing."""
    if importlib.util.find_spec("plotly") is None:
        raise TalosError("the report needs plotly; install it with pip install 'talos-accelerator[report]'")


def library_source() -> str:
    """Plotly's JavaScript, as it goes into the page once."""
    from plotly.offline import get_plotlyjs

    return str(get_plotlyjs())


def figure_json(data: Sequence[Mapping[str, Any]], **layout: Any) -> dict[str, Any]:
    """A figure that plotly has checked, as the JSON that its JavaScript draws; `layout` is added to the look that all plots share."""
    import plotly.graph_objects as go

    figure = go.Figure(data=list(data), layout={**_look(), **layout})
    figure.update_xaxes(
        gridcolor=GRID, linecolor=GRID, zerolinecolor=GRID, ticks="outside", tickcolor=GRID, title_standoff=8, title_font_size=12
    )
    figure.update_yaxes(gridcolor=GRID, linecolor=GRID, zerolinecolor=GRID, title_standoff=8, title_font_size=12)
    return dict(json.loads(figure.to_json()))


def _look() -> dict[str, Any]:
    return {
        "template": "none",
        "font": {"family": _FONT, "size": 12, "color": INK},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "margin": {"l": 88, "r": 20, "t": 12, "b": 48},
        "hoverlabel": {
            "bgcolor": "#ffffff",
            "bordercolor": GRID,
            "align": "left",
            "font": {"family": _FONT, "size": 12, "color": INK},
        },
        "legend": {
            "orientation": "h",
            "x": 0,
            "y": 1.02,
            "yanchor": "bottom",
            "font": {"size": 12, "color": MUTED},
            "traceorder": "normal",
        },
        "bargap": 0,
        "dragmode": "zoom",
    }
