"""The one exception a user sees: a single line that says what is wrong, where, why, and what to do."""

__all__ = ["TalosError"]


class TalosError(Exception):
    """Bad input, environment or use. `str(error)` is one line, fit to print after `talos: error:`."""
