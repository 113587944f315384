"""A few shapes of SVG: enough for drawings of grids."""

from html import escape

__all__ = ["COLOURS", "Drawing"]

COLOURS = ("#4C78A8", "#F58518", "#54A24B", "#B279A2", "#E45756", "#72B7B2", "#9D755D", "#EECA3B")
"""One for each thing that is followed through a drawing; readable on white and beside each other."""

_INK = "#333333"


class Drawing:
    """Shapes on white, in pixels from the upper left corner. `text()` gives the file."""

    def __init__(self, width: int, height: int, title: str) -> None:
        self._parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
            f'font-family="sans-serif" role="img" aria-label="{escape(title)}">',
            f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        ]

    def box(
        self, x: float, y: float, width: float, height: float, fill: str, *, opacity: float = 1.0, stroke: str = "#999999"
    ) -> None:
        """A rectangle."""
        self._parts.append(
            f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" fill="{fill}" fill-opacity="{opacity:g}" stroke="{stroke}"/>'
        )

    def label(self, x: float, y: float, text: str, *, size: int = 12, anchor: str = "middle", colour: str = _INK) -> None:
        """Text whose baseline is at y."""
        self._parts.append(
            f'<text x="{x:g}" y="{y:g}" font-size="{size}" text-anchor="{anchor}" fill="{colour}">{escape(text)}</text>'
        )

    def text(self) -> str:
        """The file."""
        return "\n".join([*self._parts, "</svg>"]) + "\n"
