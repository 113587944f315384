"""Names and numbers as a reader wants them: exporters join dozens of names into one, and cycles have many digits."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence

__all__ = ["dimensions", "joined", "percent", "plural", "short_names", "size", "time_at"]

WIDTH = 26
"""Most characters of a short name."""

_OPERATOR = re.compile(r"/[A-Z]\w*$")
"""What exporters put behind the module's name: stem/conv/Conv."""


def short_names(names: Sequence[str], width: int = WIDTH) -> list[str]:
    """A short form of each: the first of several joined names, without the folders that all have in common and the
    operator behind the last slash; its end if it is long.

    Names that would look alike get a number.
    """
    firsts = [name.split(";")[0].strip("/") for name in names]
    prefix = _common_folder([first for first in firsts if "/" in first]) if len(firsts) > 1 else ""
    shorts = [_OPERATOR.sub("", first.removeprefix(prefix)) for first in firsts]
    shorts = [short if len(short) <= width else f"…{short[1 - width :]}" for short in shorts]
    counts, seen = Counter(shorts), Counter[str]()
    result = []
    for short in shorts:
        seen[short] += 1
        result.append(f"{short} #{seen[short]}" if counts[short] > 1 else short)
    return result


def _common_folder(paths: Sequence[str]) -> str:
    """The folders that all paths begin with, with a slash behind them."""
    common = ""
    for level in zip(*(path.split("/")[:-1] for path in paths), strict=False):
        if len(set(level)) > 1:
            break
        common += f"{level[0]}/"
    return common


def joined(names: Iterable[str], most: int = 4) -> str:
    """At most `most` of the names, and how many more there are."""
    firsts = [name.split(";")[0].strip("/") + (" …" if ";" in name else "") for name in names]
    shown = [name if len(name) <= 60 else f"…{name[-59:]}" for name in firsts[:most]]
    more = f" and {len(firsts) - most} more" if len(firsts) > most else ""
    return ", ".join(shown) + more


def dimensions(shape: Sequence[int]) -> str:
    """56×56×64; empty for a shape that is not known."""
    return "×".join(map(str, shape))


def size(count: float) -> str:
    """Bytes with a unit that leaves three or four digits."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024 or unit == "GiB":
            break
        count /= 1024
    return f"{count:.0f} {unit}" if count >= 100 or count == int(count) else f"{count:.1f} {unit}"


def percent(share: float) -> str:
    """One digit behind the point, as in the tables of the terminal."""
    return f"{share:.1%}".replace("%", " %")


def plural(count: int, word: str) -> str:
    """1 layer, 2 layers."""
    return f"{count:,} {word}{'s' if count != 1 else ''}"


def time_at(cycles: int, mhz: float) -> str:
    """How long `cycles` take at a clock of `mhz` megahertz."""
    seconds = cycles / (mhz * 1e6)
    factor, unit = (1e6, "µs") if seconds < 1e-3 else (1e3, "ms") if seconds < 1 else (1.0, "s")
    return f"{seconds * factor:.3g} {unit}"
