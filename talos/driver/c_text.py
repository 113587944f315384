"""Names, literals and comments of generated C."""

import re

import numpy as np

__all__ = ["float_literal", "identifier", "network_identifier", "string_literal", "unique_identifiers"]


def identifier(name: str) -> str:
    """`name` in lower case with everything but letters, digits and single underscores replaced; begins with a letter."""
    text = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
    return text if text[:1].isalpha() else f"n{text}"


def network_identifier(name: str) -> str:
    """What a program's names in C begin with. The driver's own begin with `talos_`."""
    text = identifier(name)
    return "talos_net" if text == "talos" else text


def unique_identifiers(names: list[str]) -> list[str]:
    """`identifier` of each name; where two are the same, the later ones get a number."""
    made: list[str] = []
    for name in names:
        base = candidate = identifier(name)
        number = 2
        while candidate in made:
            candidate = f"{base}_{number}"
            number += 1
        made.append(candidate)
    return made


def string_literal(text: str) -> str:
    """A C string literal with the UTF-8 bytes of `text`, in ASCII; octal escapes end after three digits, whatever follows."""
    plain = re.compile(rb"[ -~]")
    escaped = (
        chr(byte) if plain.match(bytes([byte])) and byte not in b'"\\?' else f"\\{byte:03o}"  # ?: trigraphs
        for byte in text.encode()
    )
    return f'"{"".join(escaped)}"'


def float_literal(value: float) -> str:
    """A C99 hexadecimal literal of exactly the float32 `value`."""
    return f"{float(np.float32(value)).hex()}f"
