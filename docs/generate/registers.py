"""The register reference, from `talos.registers`."""

from talos.registers import REGISTERS, ErrorCause

__all__ = ["registers_page"]

_ACCESS = {"ro": "read only", "rw": "read, write", "w1": "write ones"}


def registers_page() -> str:
    """The Markdown page."""
    rows = "\n".join(
        f"| 0x{register.offset:03x} | `{register.name}` | {_ACCESS[register.access]} | {register.doc} |"
        for register in REGISTERS.values()
    )
    causes = "\n".join(f"| {int(cause)} | `{cause.name}` |" for cause in ErrorCause)
    return f"""\
# Registers

Made from `talos/registers.py` by `python -m docs.generate`.

The AXI4-Lite slave. All registers have 32 bits; offsets are bytes; words that are not listed read 0 and ignore writes. [FPGA
integration](../integration.md) has the sequence of a run, [Bus](../bus.md) what happens at errors.

| offset | register | access | meaning |
|---|---|---|---|
{rows}

## Values of ERROR_CAUSE

| value | cause |
|---:|---|
{causes}
"""
