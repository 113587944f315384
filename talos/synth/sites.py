"""Where an ECP5 has its multipliers and block RAMs.

Both lie in rows of their own, in blocks of nine columns: four MULT18X18D or four DP16KD in each. Two columns in the middle of the
device, left free, belong to the clocks. The names are nextpnr's.
"""

from dataclasses import dataclass

__all__ = ["Floor", "Site"]

_BLOCK = 9
_MIDDLE = 2
_DSP = (0, 1, 4, 5)  # columns of a block, and numbers of the multipliers there
_BRAM = (0, 2, 4, 6)


@dataclass(frozen=True)
class Site:
    """A place for one block: column, row, and nextpnr's name of it."""

    x: int
    y: int
    bel: str


@dataclass(frozen=True)
class Floor:
    """A device's grid of tiles: `width` × `height`, blocks of columns left and right of the middle, rows of multipliers and of block RAM."""

    width: int
    height: int
    left: int
    right: int
    dsp_rows: tuple[int, ...]
    bram_rows: tuple[int, ...]

    def _columns(self) -> list[int]:
        """The first column of each block."""
        return [4 + _BLOCK * i + (_MIDDLE if i >= self.left else 0) for i in range(self.left + self.right)]

    def sites(self, cell_type: str) -> list[Site]:
        """The sites of cells of this type; none for cells that are not placed by site."""
        if cell_type == "MULT18X18D":
            return [Site(x + i, y, f"X{x + i}/Y{y}/MULT18_{i}") for y in self.dsp_rows for x in self._columns() for i in _DSP]
        if cell_type in ("DP16KD", "PDPW16KD"):
            return [
                Site(x + dx, y, f"X{x + dx}/Y{y}/EBR{i}")
                for y in self.bram_rows
                for x in self._columns()
                for i, dx in enumerate(_BRAM)
            ]
        return []
