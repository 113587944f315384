"""The command line. One file per group of commands; what is heavy is imported when a command runs."""

from talos.cli.app import main

__all__ = ["main"]
