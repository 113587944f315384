"""CRC-16/CCITT-FALSE, a byte at a time."""

from amaranth.hdl import Cat, Value

__all__ = ["crc_next"]


def crc_next(crc: Value, byte: Value) -> Value:
    """The CRC (16 bits, polynomial x^16 + x^12 + x^5 + 1, highest bit first) after one more byte."""
    bits = [crc[i] for i in range(16)]
    for i in reversed(range(8)):
        feedback = bits[15] ^ byte[i]
        bits = [feedback, *bits[:15]]
        bits[5] = bits[5] ^ feedback
        bits[12] = bits[12] ^ feedback
    return Cat(bits)
