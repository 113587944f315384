"""`talos.h` and `talos.c`: the driver, which is the same for every program."""

from importlib.resources import files
from string import Template

from talos.driver.c_text import string_literal
from talos.registers import REGIONS, ErrorCause

__all__ = ["MAX_LOOPS", "PAGE", "driver_header", "driver_source", "template"]

MAX_LOOPS = 16
"""Loops that the order of an input's or output's bytes may need; those of real networks need at most five."""

PAGE = 4096
"""What `talos_place` rounds the regions up to, bytes: no AXI burst crosses it, so the cycles do not depend on the place."""

_CAUSES = {
    ErrorCause.BAD_OPCODE: "the core read an instruction that it does not know: the constants in memory are damaged",
    ErrorCause.READ_ERROR: "the core's bus answered a read with an error: check the regions' addresses",
    ErrorCause.WRITE_ERROR: "the core's bus answered a write with an error: check the regions' addresses",
    ErrorCause.SEMAPHORE_OVERFLOW: "a semaphore of the core overflowed: the constants in memory are damaged",
}


def template(name: str) -> Template:
    """The template file `name`."""
    return Template(files("talos.driver").joinpath("templates", name).read_text(encoding="utf-8"))


def driver_header() -> str:
    """The text of `talos.h`."""
    results = [f"    TALOS_ERROR_{cause.name}, /* {text} */" for cause, text in _CAUSES.items()]
    return template("talos.h").substitute(regions=REGIONS, page=PAGE, max_loops=MAX_LOOPS, cause_results="\n".join(results))


def driver_source() -> str:
    """The text of `talos.c`."""
    texts = [f"    case TALOS_ERROR_{cause.name}: return {string_literal(text)};" for cause, text in _CAUSES.items()]
    cases = [f"    case TALOS_CAUSE_{cause.name}: return TALOS_ERROR_{cause.name};" for cause in _CAUSES]
    return template("talos.c").substitute(cause_texts="\n".join(texts), cause_cases="\n".join(cases))
