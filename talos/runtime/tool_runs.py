"""Runs the tools of a build in a folder of their own, from several threads, so that an interrupt ends all of them."""

import os
import signal
import subprocess
import threading
from collections.abc import Sequence
from concurrent.futures import CancelledError
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from talos.errors import TalosError

__all__ = ["ToolRuns"]


@dataclass(frozen=True)
class ToolRuns:
    """A temporary folder to run tools in, and the file that keeps what they print."""

    folder: Path
    log: Path
    running: set["subprocess.Popen[str]"] = field(default_factory=set)
    stopped: threading.Event = field(default_factory=threading.Event)
    starting: threading.Lock = field(default_factory=threading.Lock)  # a tool is either not started after `stop`, or known to it

    def stop(self) -> None:
        """End the tools under way and start no others: an interrupt must not wait for a compiler in another thread."""
        with self.starting:
            self.stopped.set()
            for process in self.running:
                _kill(process)

    def run(self, what: str, command: Sequence[str | Path], environment: dict[str, str] | None = None) -> None:
        """Run a tool in the folder.

        Raises TalosError with its first error line and the log's place if it fails, CancelledError after `stop`.
        """
        with self.starting:
            if self.stopped.is_set():
                raise CancelledError
            process = subprocess.Popen(
                command,
                cwd=self.folder,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                process_group=0,
            )
            self.running.add(process)
        with process:
            try:
                printed = process.communicate()[0]
            except BaseException:
                _kill(process)
                raise
            finally:
                with self.starting:
                    self.running.discard(process)
        with self.log.open("a") as log:
            log.write(f"$ {' '.join(map(str, command))}\n{printed}\n")
        if process.returncode:
            lines = [line.strip() for line in printed.splitlines()]
            first = next((line for line in lines if "error" in line.lower()), f"exit status {process.returncode}")
            raise TalosError(f"{what} failed while building the simulation: {first[:200]}; everything it said is in {self.log}")


def _kill(process: "subprocess.Popen[str]") -> None:
    """End a tool and the programs that it runs (a compiler is several), which are a process group of their own."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
