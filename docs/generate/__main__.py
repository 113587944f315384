"""Write the generated pages and drawings into docs/, or check that they are what the sources give.

Run from the repository's root: `python -m docs.generate`, or `--check`.
"""

import argparse
import sys
from pathlib import Path

from docs.generate.command_line import command_line_page
from docs.generate.isa import isa_page
from docs.generate.operators import operators_page
from docs.generate.packing import depthwise_drawing, packing_drawing
from docs.generate.registers import registers_page
from docs.generate.wavefront import wavefront_drawing
from talos.program import write_atomically

__all__ = ["FILES", "main"]

DOCS = Path(__file__).parents[1]

FILES = {
    "reference/isa.md": isa_page,
    "reference/registers.md": registers_page,
    "reference/operators.md": operators_page,
    "reference/command-line.md": command_line_page,
    "images/wavefront.svg": wavefront_drawing,
    "images/packing.svg": packing_drawing,
    "images/depthwise.svg": depthwise_drawing,
}
"""Path in docs/ → what makes its text."""


def main(arguments: list[str]) -> int:
    """Exit status: 1 if a file is not what the sources give."""
    parser = argparse.ArgumentParser(prog="python -m docs.generate", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing; exit status 1 if a file would change")
    check = parser.parse_args(arguments).check
    stale = 0
    for name, make in FILES.items():
        path = DOCS / name
        content = make().encode()
        if path.is_file() and path.read_bytes() == content:
            continue
        stale += 1
        if check:
            print(f"docs/{name} is not what the sources give; run python -m docs.generate and commit it", file=sys.stderr)
        else:
            write_atomically(path, lambda file, content=content: file.write(content))
            print(f"docs/{name} written")
    return int(check and stale > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
