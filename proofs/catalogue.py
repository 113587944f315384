"""All proofs, by block."""

from proofs import axi_lite, bursts, control, nests, queues, read_master, semaphores, units, write_master

__all__ = ["PROOFS"]

PROOFS = (
    *queues.PROOFS,
    *semaphores.PROOFS,
    *bursts.PROOFS,
    *nests.PROOFS,
    *read_master.PROOFS,
    *write_master.PROOFS,
    *axi_lite.PROOFS,
    *units.PROOFS,
    *control.PROOFS,
)
"""In the order in which they run."""
