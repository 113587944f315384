"""pandas frames, made only where pandas is installed."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from numpy.typing import ArrayLike

from talos.errors import TalosError

if TYPE_CHECKING:
    import pandas

__all__ = ["frame"]


def frame(columns: Mapping[str, ArrayLike], index: str) -> "pandas.DataFrame":
    """A frame of `columns`, indexed by that called `index`. Raises TalosError where pandas is missing."""
    try:
        import pandas
    except ModuleNotFoundError as error:
        raise TalosError("tables need the package 'pandas'; install it with: pip install 'talos-accelerator[report]'") from error
    return pandas.DataFrame(dict(columns)).set_index(index)
