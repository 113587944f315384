"""Delay lines: the registers that keep a value beside a pipeline."""

from amaranth import Module, Signal, Value, ValueLike

__all__ = ["delay"]


def delay(m: Module, value: ValueLike, cycles: int, name: str, *, reset: bool = False) -> list[Value]:
    """`value` and its next `cycles` delayed copies: element i is the value of i cycles ago.

    The registers are called `{name}_{i}` and have no reset unless `reset` (for flags that mean something without a companion).
    """
    source = Value.cast(value)
    line = [source]
    for i in range(1, cycles + 1):
        register = Signal(source.shape(), name=f"{name}_{i}", reset_less=not reset)
        m.d.sync += register.eq(line[-1])
        line.append(register)
    return line
