"""Leading-zero count as a tree."""

from amaranth import Cat, Const, Mux, Value

__all__ = ["leading_zeros"]


def leading_zeros(value: Value) -> Value:
    """How many bits above the highest 1 of `value` are 0, in (len − 1).bit_length() bits; all ones when `value` is 0 and its
    length a power of two. Logarithmic depth: each level chooses the half in which the count ends."""
    padding = (1 << (len(value) - 1).bit_length()) - len(value)
    count, _ = _tree(Cat(Const((1 << padding) - 1, padding), value))
    return count


def _tree(value: Value) -> tuple[Value, Value]:
    """Count and "any bit set" of a value whose length is a power of two."""
    if len(value) == 2:
        return ~value[1], value.any()
    half = len(value) // 2
    low, low_any = _tree(value[:half])
    high, high_any = _tree(value[half:])
    return Cat(Mux(high_any, high, low), ~high_any), low_any | high_any
