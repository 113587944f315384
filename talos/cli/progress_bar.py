"""The progress display on a terminal."""

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, Task, TaskID, TextColumn, TimeElapsedColumn
from rich.text import Text

__all__ = ["ProgressBar"]


class _Left(ProgressColumn):
    """Share done and time left, once they are known."""

    def render(self, task: Task) -> Text:
        if task.total is None:
            return Text()
        left = "" if task.time_remaining is None else f", {int(task.time_remaining) + 1} s left"
        return Text(f"{task.percentage:3.0f} %{left}")


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
        self._stage: str | None = None
        self._task: TaskID | None = None

    def __call__(self, stage: str, done: int, total: int) -> None:
        if stage != self._stage or self._task is None:
            if self._task is not None:
                self._progress.remove_task(self._task)
            self._task = self._progress.add_task(stage, total=total or None)
            self._stage = stage
        self._progress.update(self._task, completed=done, total=total or None)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self._progress.stop()
