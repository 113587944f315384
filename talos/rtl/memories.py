"""What is said of the core's memories to the tools that map them."""

__all__ = ["NO_COLLISION"]

NO_COLLISION = {"no_rw_check": 1}
"""Attributes of a memory whose reads do not matter where the same word is written in the same cycle.

The name is Yosys'. Without it Yosys keeps the old word beside the block RAM, which costs a register and a LUT per bit, and the RAM's own
output register. It holds for the core's block RAMs: semaphores keep a reader from what is still being written, and a queue's or an
accumulator's word that is read too early is not used.
"""
