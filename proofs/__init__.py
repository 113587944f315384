"""Formal proofs of the blocks that must never hang or lose anything: queues, arbiters, semaphores and bus interfaces."""

__all__: list[str] = []
