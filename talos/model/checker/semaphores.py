"""The semaphores' counters: 8 bits, empty at the end."""

from itertools import accumulate

from talos.config import AcceleratorConfig
from talos.errors import TalosError
from talos.isa import SYNC_UNITS, Instruction
from talos.model.checker.fields import name
from talos.model.checker.schedule import Schedule

__all__ = ["check_semaphores"]

HIGHEST = 255


def check_semaphores(instructions: tuple[Instruction, ...], schedule: Schedule, config: AcceleratorConfig) -> None:
    """Raise TalosError, naming the posting instruction, when a counter can exceed 255 in some interleaving or is not 0 at the end."""
    for poster in SYNC_UNITS:
        for waiter in SYNC_UNITS:
            if poster == waiter:
                continue
            post, wait = 1 << SYNC_UNITS.index(waiter), 1 << SYNC_UNITS.index(poster)
            waiting = schedule.members[waiter]
            # taken[n]: posts taken by the first n instructions of the waiter.
            taken = [0, *accumulate(int(bool(instructions[index]["wait"] & wait)) for index in waiting)]
            posts = [index for index in schedule.members[poster] if instructions[index]["post"] & post]
            if len(posts) > taken[-1]:
                surplus = name(posts[taken[-1]], instructions[posts[taken[-1]]])
                raise TalosError(f"{surplus} posts to {waiter.name}, but no {waiter.name} instruction is left to wait for it")
            earlier = 0
            for number, index in enumerate(posts, 1):
                while earlier < len(waiting) and waiting[earlier] < index:
                    earlier += 1
                # Dispatch is in program order: all but a queueful of the waiter's earlier instructions have started by now.
                started = max(int(schedule.clock[index, waiter]), earlier - config.queue_depth, 0)
                if number - taken[started] > HIGHEST:
                    raise TalosError(
                        f"{name(index, instructions[index])} can raise the semaphore from {poster.name} to {waiter.name} to "
                        f"{number - taken[started]}, above {HIGHEST}"
                    )
