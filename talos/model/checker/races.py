"""Every two accesses to the same bytes by different units, one of them a write, are ordered by semaphores, in program order."""

from collections import defaultdict

import numpy as np
import numpy.typing as npt

from talos.effects import Access
from talos.errors import TalosError
from talos.isa import Instruction, Unit
from talos.model.checker.fields import name
from talos.model.checker.schedule import Schedule

__all__ = ["check_races"]

_ALWAYS = np.iinfo(np.int32).max


class _Space:
    """For each unit and each stretch between two access bounds: the number of the unit's last access and write there, from 1."""

    def __init__(self, bounds: set[int]) -> None:
        points = sorted(bounds)
        self.place = {address: position for position, address in enumerate(points)}
        self.touched = np.zeros((len(Unit), len(points)), np.int32)
        self.written = np.zeros((len(Unit), len(points)), np.int32)


def check_races(
    instructions: tuple[Instruction, ...],
    accesses: list[list[Access]],
    schedule: Schedule,
) -> None:
    """Raise TalosError, naming both instructions, for a pair that may run in either order.

    A later access only needs to come behind the last conflicting one of each unit: units work in order, so the others lie before.
    """
    spaces = _spaces(accesses)
    counts = [0] * len(Unit)
    for index, (instruction, touches) in enumerate(zip(instructions, accesses, strict=True)):
        unit = instruction.unit
        counts[unit] += 1
        finished = schedule.clock[index].copy()
        finished[unit] = _ALWAYS
        for access in touches:
            space = spaces.get(access.space)
            if space is None:
                continue
            part = slice(space.place[access.low], space.place[access.high])
            last = (space.touched if access.write else space.written)[:, part].max(axis=1)
            if (last > finished).any():
                _examine(instructions, accesses, schedule, index, access, last, finished)
        for access in touches:
            space = spaces.get(access.space)
            if space is not None:
                part = slice(space.place[access.low], space.place[access.high])
                space.touched[unit, part] = counts[unit]
                if access.write:
                    space.written[unit, part] = counts[unit]


def _spaces(accesses: list[list[Access]]) -> dict[str, _Space]:
    """The spaces that anything is written to, cut at the bounds of all accesses."""
    bounds: dict[str, set[int]] = defaultdict(set)
    written = set()
    for touches in accesses:
        for access in touches:
            bounds[access.space] |= {access.low, access.high}
            if access.write:
                written.add(access.space)
    return {space: _Space(bounds[space]) for space in written}


def _examine(
    instructions: tuple[Instruction, ...],
    accesses: list[list[Access]],
    schedule: Schedule,
    index: int,
    access: Access,
    last: npt.NDArray[np.int32],
    finished: npt.NDArray[np.int32],
) -> None:
    """Raise TalosError if an instruction that `index` is not ordered behind touches the same bytes, not only the same range."""
    for number in np.flatnonzero(last > finished):
        unit = Unit(int(number))
        for other in schedule.members[unit][int(finished[unit]) : int(last[unit])]:
            if any((access.write or touch.write) and access.meets(touch) for touch in accesses[other]):
                raise TalosError(
                    f"race: {name(index, instructions[index])} {'writes' if access.write else 'reads'} {access.space} "
                    f"[{access.low}, {access.high}) and does not wait for {name(other, instructions[other])}, which uses part of it"
                )
