"""The functional model: values of a program, from its binary."""

from talos.model.functional.model import FunctionalModel

__all__ = ["FunctionalModel"]
