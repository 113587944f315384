"""What memories in block RAM have in common."""

from collections.abc import Mapping
from typing import Any

__all__ = ["BLOCK_RAM"]

BLOCK_RAM: Mapping[str, Any] = {"no_rw_check": 1}
"""Attributes of a memory of which no word is needed that is written in the cycle in which it is read.

In simulation such a read gives the old word. Not every block RAM does so with two ports; Yosys would build it around the block, with a
multiplexer between the block and the register behind it, which costs 2 ns and keeps that register from being the block's own. Yosys
looks at this attribute where a memory is read asynchronously and the word goes into a register, so these memories are written like that.
"""
