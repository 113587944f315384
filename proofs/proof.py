"""What a proof is: a harness, a method, and faults that must make it fail."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any, Protocol

from proofs.harness import Harness

__all__ = ["Fault", "Method", "Proof", "Source"]


class Source(Protocol):
    """Gives the modules of the design by name, as they are or with a fault in one of them."""

    def __call__(self, module: str) -> Any:
        """The module `talos.rtl.<module>`."""


class Method(Enum):
    """How a property is shown."""

    INDUCTION = "induction"
    """For all time: k-induction with k at most the depth."""
    BOUNDED = "bounded"
    """For `depth` cycles from the initial state, resets included."""
    STRUCTURE = "structure"
    """On the netlist: no path of gates from any input to an AXI output."""


@dataclass(frozen=True)
class Fault:
    """A mistake seeded into the design: in `module`, the only occurrence of `old` becomes `new`."""

    name: str
    module: str
    old: str
    new: str


@dataclass(frozen=True)
class Proof:
    """`build` makes the harness from the design's modules; every fault must make the proof fail."""

    block: str
    name: str
    claim: str
    build: Callable[[Source], Harness]
    depth: int
    faults: tuple[Fault, ...]
    method: Method = Method.INDUCTION
    reach: int = 12  # cycles within which the covered conditions happen and the faults show

    @property
    def title(self) -> str:
        """`block.name`."""
        return f"{self.block}.{self.name}"

    @property
    def how(self) -> str:
        """Method and depth for people."""
        if self.method is Method.STRUCTURE:
            return "structure"
        return f"{self.method.value}, k ≤ {self.depth}" if self.method is Method.INDUCTION else f"bounded, {self.depth} cycles"
