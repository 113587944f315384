"""Generated C99 driver: `talos.driver.export` writes it for a compiled program."""

__all__: list[str] = []
