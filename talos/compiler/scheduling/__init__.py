"""A layer graph to instructions: tiles, memory, transfers, semaphores."""
