"""Every operator the compiler has a handler for, from the compiler's own table."""

import inspect
from collections import defaultdict

from talos.compiler.importing.host import HOST_OPS
from talos.compiler.importing.import_graph import OPERATORS

__all__ = ["operators_page"]


def operators_page() -> str:
    """The Markdown page."""
    handled: dict[str, list[str]] = defaultdict(list)
    for op, handler in OPERATORS.items():
        module = inspect.getmodule(handler)
        assert module is not None and module.__doc__ is not None
        handled[" ".join(module.__doc__.split("\n\n")[0].split())].append(op)
    rows = "\n".join(f"| {', '.join(sorted(ops))} | {what} |" for what, ops in sorted(handled.items()))
    return f"""\
# Operators by name

Made from the compiler's table of handlers by `python -m docs.generate`: {len(OPERATORS)} operators have one. [Operators](../operators.md) says in
which forms they are supported, where they run and how exact they are; `talos compile MODEL.onnx --report` says it for the nodes of a model.

| operators | are handled as |
|---|---|
{rows}
| {", ".join(HOST_OPS)} | Float operators at the end of a network: they run on the host, in onnxruntime. |

Any other operator runs on the host too.
"""
