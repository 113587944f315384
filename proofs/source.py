"""The design's modules, as they are or with a seeded fault."""

import importlib
import importlib.util
from pathlib import Path
from types import ModuleType

from proofs.proof import Fault
from talos.errors import TalosError

__all__ = ["Faulty", "design"]

_PACKAGE = "talos.rtl"


def design(module: str) -> ModuleType:
    """The module as it is."""
    return importlib.import_module(f"{_PACKAGE}.{module}")


class Faulty:
    """The modules with one fault. The fault is put into the text of a private copy; the real module stays as it is.

    TalosError if the fault's text is not in its module exactly once.
    """

    def __init__(self, fault: Fault) -> None:
        self._module = fault.module
        original = design(fault.module)
        text = Path(str(original.__file__)).read_text(encoding="utf-8")
        found = text.count(fault.old)
        if found != 1:
            raise TalosError(
                f"proofs: fault '{fault.name}': {original.__name__} has '{fault.old}' {found} times, not once; adapt the fault to the design"
            )
        self._copy = ModuleType(original.__name__)
        self._copy.__file__ = original.__file__
        exec(compile(text.replace(fault.old, fault.new), str(original.__file__), "exec"), self._copy.__dict__)

    def __call__(self, module: str) -> ModuleType:
        """The module, with the fault if it is the faulty one."""
        return self._copy if module == self._module else design(module)
