"""What stands around the core on a board: memory, UART, the bridge to the host, clock and reset."""
