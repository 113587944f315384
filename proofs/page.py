"""The tables of docs/verification.md, made from the proofs so that the page cannot promise more than is proven."""

import re
from collections.abc import Sequence
from pathlib import Path

from proofs.proof import Proof

__all__ = ["PAGE", "table", "updated", "write_page"]

PAGE = Path(__file__).resolve().parents[1] / "docs" / "verification.md"
_BEGIN, _END = "<!-- proofs: begin -->\n", "<!-- proofs: end -->\n"


def table(proofs: Sequence[Proof]) -> str:
    """Claims, methods, number of seeded faults, in Markdown, sorted by block."""
    lines = ["| block, claim | what is shown | how | seeded faults |", "|---|---|---|---|"]
    blocks = sorted({proof.block for proof in proofs})
    for proof in sorted(proofs, key=lambda proof: blocks.index(proof.block)):
        lines.append(f"| `{proof.title}` | {proof.claim} | {proof.how} | {len(proof.faults)} |")
    return "\n".join(lines) + "\n"


def updated(text: str, proofs: Sequence[Proof]) -> str:
    """The page with the table of these proofs."""
    return re.sub(f"(?<={_BEGIN}).*(?={_END})", lambda _: table(proofs), text, flags=re.DOTALL)


def write_page(proofs: Sequence[Proof]) -> None:
    """Brings docs/verification.md up to date."""
    PAGE.write_text(updated(PAGE.read_text(encoding="utf-8"), proofs), encoding="utf-8")
