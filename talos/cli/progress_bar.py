"""The progress display on a terminal."""

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, Task, TaskID, TextColumn, TimeElapsedColumn
from rich.text import Text

from talos.cli.durations import Durations

__all__ = ["ProgressBar"]


class _Left(ProgressColumn):
    """Share done and time left; where the share is not known, the time left by what the stage took the last time."""

    def render(self, task: Task) -> Text:
        if task.total is None:
            expected: float | None = task.fields["expected"]
            left = (expected or 0.0) - (task.elapsed or 0.0)
            return Text(f"about {_time(left)} left" if left > 0 else "")
        ahead = "" if task.time_remaining is None else f", {_time(task.time_remaining)} left"
        return Text(f"{task.percentage:3.0f} %{ahead}")


def _time(seconds: float) -> str:
    whole = int(seconds) + 1
    return f"{whole} s" if whole < 120 else f"{whole // 60} min {whole % 60} s"


class ProgressBar:
    """Shows the current stage on standard error; the line vanishes at the end. Called as `talos.runtime.progress.Progress` says."""

    def __init__(self) -> None:
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=20),
            TimeElapsedColumn(),
            _Left(),
            console=Console(stderr=True),
            transient=True,
        )
        self._durations = Durations()
        self._stage: str | None = None
        self._task: TaskID | None = None

    def __call__(self, stage: str, done: int, total: int) -> None:
        if stage != self._stage or self._task is None:
            if self._task is not None:
                self._remember()
                self._progress.remove_task(self._task)
            expected = self._durations.expected(stage)
            self._task = self._progress.add_task(stage, total=total or None, expected=expected)
            self._stage = stage
        self._progress.update(self._task, completed=done, total=total or None)

    def _remember(self) -> None:
        """The current stage is over: note how long it took, if it could not say how far it was."""
        if self._task is None or self._stage is None:
            return
        (task,) = (task for task in self._progress.tasks if task.id == self._task)
        if task.total is None and task.elapsed is not None:
            self._durations.remember(self._stage, task.elapsed)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self._progress.stop()
        if kind is None:
            self._remember()
