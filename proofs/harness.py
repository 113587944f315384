"""The top module of a proof: a design under test, free inputs, ghost state, assumptions and assertions."""

from typing import Any

from amaranth.back import rtlil
from amaranth.hdl import (
    Assert,
    Assume,
    Cat,
    Const,
    Elaboratable,
    Fragment,
    MemoryInstance,
    Module,
    ShapeLike,
    Signal,
    Value,
    ValueLike,
)
from amaranth.lib.wiring import In

__all__ = ["COVERED", "Harness", "Opened"]

COVERED = "covered"
"""Output of the top module: every condition given to `Harness.cover` was met by now."""


class Opened(Elaboratable):
    """A component elaborated at once, so that its inner signals can be named in assertions.

    `opened["bursts"]` is the register or wire `bursts` of the component, `opened["skid.valid"]` that of its submodule `skid`. An
    unknown name is a KeyError: a proof must not silently lose its invariant when the design changes.
    """

    def __init__(self, component: Any) -> None:
        self._fragment = Fragment.get(component, None)

    def __getitem__(self, path: str) -> Any:
        *parents, name = path.split(".")
        fragment = self._find(parents)
        found = {s.name: s for statements in fragment.statements.values() for s in statements._lhs_signals()}
        if name not in found:
            raise KeyError(f"no signal '{path}'; there are {', '.join(sorted(found))}")
        return found[name]

    def look(self, memory: str, address: Value, width: int) -> Signal:
        """The word of submodule `memory` at `address`, read in the same cycle through a port that only the proof has."""
        fragment = self._find(memory.split("."))
        instances = [sub for sub, _, _ in fragment.subfragments if isinstance(sub, MemoryInstance)]
        instance = fragment if isinstance(fragment, MemoryInstance) else instances[0]
        word = Signal(width, name="ghost_word")
        instance.read_port(domain="comb", addr=address, data=word, en=Const(1), transparent_for=())
        return word

    def _find(self, names: list[str]) -> Fragment:
        fragment = self._fragment
        for name in names:
            children = {child_name: child for child, child_name, _ in fragment.subfragments}
            if name not in children:
                raise KeyError(f"no submodule '{name}'; there are {', '.join(map(str, children))}")
            fragment = children[name]
        return fragment

    def elaborate(self, platform: Any) -> Fragment:
        return self._fragment


class Harness(Elaboratable):
    """Collects the pieces of a proof in the module `m`.

    All inputs of the component that nothing drives, reset included, are free in every cycle. Ghost registers are reset with the
    design.
    """

    def __init__(self) -> None:
        self.m = Module()
        self._ports: list[Value] = []
        self._seen: list[Signal] = []

    def add(self, component: Any, name: str = "dut") -> Opened:
        """Makes `component` a submodule and its ports free."""
        opened = Opened(component)
        self.m.submodules[name] = opened
        for _, member, signal in component.signature.flatten(component):
            if member.flow == In:
                self._ports.append(Value.cast(signal))
        return opened

    def publish(self, component: Any, prefix: str) -> None:
        """Makes the component's outputs with this prefix ports of the top module."""
        self._ports += [
            Value.cast(signal)
            for path, member, signal in component.signature.flatten(component)
            if member.flow != In and str(path[0]).startswith(prefix)
        ]

    def free(self, shape: ShapeLike, name: str) -> Any:
        """A value that may be different in every cycle."""
        signal = Signal(shape, name=name)
        self._ports.append(Value.cast(signal))
        return signal

    def constant(self, shape: ShapeLike, name: str) -> Any:
        """An arbitrary value that never changes, not even by a reset."""
        signal = self.free(shape, name)
        raw = Value.cast(signal)
        begun = Signal(name=f"{name}_begun", reset_less=True)
        before = Signal(len(raw), name=f"{name}_before", reset_less=True)
        self.m.d.sync += [begun.eq(1), before.eq(raw)]
        self.assume(~begun | (before == raw))
        return signal

    def named(self, value: ValueLike, name: str) -> Signal:
        """A wire with a name, so that it can be found in a counterexample."""
        value = Value.cast(value)
        signal = Signal(value.shape(), name=name)
        self.m.d.comb += signal.eq(value)
        return signal

    def past(self, value: ValueLike, name: str) -> Signal:
        """The value of the cycle before; 0 after reset."""
        value = Value.cast(value)
        signal = Signal(value.shape(), name=f"past_{name}")
        self.m.d.sync += signal.eq(value)
        return signal

    def always(self, condition: ValueLike) -> None:
        """To be proven in every cycle."""
        self.m.d.comb += Assert(condition)

    def implies(self, condition: ValueLike, consequence: ValueLike) -> None:
        """To be proven: `consequence` is not 0 in every cycle in which `condition` is not 0."""
        self.always(~Value.cast(condition).bool() | Value.cast(consequence).bool())

    def assume(self, condition: ValueLike) -> None:
        """What the environment keeps to."""
        self.m.d.comb += Assume(condition)

    def cover(self, condition: ValueLike) -> None:
        """Must be met in some run: shows that the assumptions leave room for it."""
        seen = Signal(name=f"seen_{len(self._seen)}", reset_less=True)
        with self.m.If(condition):
            self.m.d.sync += seen.eq(1)
        self._seen.append(seen)

    def stable(self, valid: Value, ready: Value, payload: Value, name: str) -> None:
        """AXI handshake rule (A3.2.1): once valid, a source stays valid with the same payload until ready."""
        waiting = self.past(valid & ~ready, f"{name}_waiting")
        self.implies(waiting, valid & (self.past(payload, f"{name}_payload") == payload))

    def counter(self, up: ValueLike, down: ValueLike, limit: int, name: str) -> Signal:
        """A ghost count of events, large enough for `limit`."""
        count = Signal(range(limit + 1), name=name)
        self.m.d.sync += count.eq(count + up - down)
        return count

    @property
    def covers(self) -> bool:
        """Whether anything is to be covered."""
        return bool(self._seen)

    def elaborate(self, platform: Any) -> Module:
        return self.m

    def rtlil(self) -> str:
        """The design as Yosys reads it; top module `top`."""
        covered = Signal(name=COVERED)
        self.m.d.comb += covered.eq(Cat(self._seen).all() if self._seen else 0)
        return str(rtlil.convert(self, name="top", ports=[*self._ports, covered], emit_src=False))
