"""The example SoC of the LiteX target, simulated: `python -m tests.targets.litex_simulation`."""
