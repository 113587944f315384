"""The layer graph, and the passes that improve it."""
