"""The command line. One file per group of commands; what is heavy is imported when a command runs."""

import sys

__all__ = ["INTERRUPTED", "main"]

INTERRUPTED = 130


def main() -> None:
    """Run the command line and exit: 0 fine, 1 something that must be equal is not, 2 bad input, 130 interrupted."""
    try:
        from talos.cli.app import run_app
    except KeyboardInterrupt:  # as early as that: nothing of ours is there yet to say it
        sys.exit(INTERRUPTED)
    try:
        status = run_app()
    except KeyboardInterrupt:  # a second one, while the first is told
        status = INTERRUPTED
    sys.exit(status)
