"""The colours of the page: one for each unit, used wherever that unit, or what is bound by it, is shown."""

from talos.isa import Unit

__all__ = ["BOUNDS", "GRID", "INK", "MUTED", "PLACEMENTS", "TRAFFIC", "UNITS", "UNIT_NAMES"]

INK, MUTED, GRID = "#1e293b", "#64748b", "#e2e8f0"

UNITS = {
    Unit.FETCH: "#94a3b8",
    Unit.LOAD: "#2f7fd1",
    Unit.WEIGHTS: "#e08a1e",
    Unit.MATRIX: "#1f9d6b",
    Unit.VECTOR: "#8b5cd6",
    Unit.STORE: "#d6487e",
}

UNIT_NAMES = {
    Unit.FETCH: "fetch",
    Unit.LOAD: "load",
    Unit.WEIGHTS: "weights",
    Unit.MATRIX: "array",
    Unit.VECTOR: "vector",
    Unit.STORE: "store",
}

BOUNDS = {name: UNITS[unit] for unit, name in UNIT_NAMES.items() if unit is not Unit.FETCH} | {
    "latency": "#94a3b8",
    "host": "#475569",
}
"""By the word in `LayerCycles.bound`."""

PLACEMENTS = {
    "array": UNITS[Unit.MATRIX],
    "vector": UNITS[Unit.VECTOR],
    "placement": "#cbd5e1",
    "host": BOUNDS["host"],
    "input": "#ffffff",
    "output": "#ffffff",
}

TRAFFIC = {
    "activations in": UNITS[Unit.LOAD],
    "weights": UNITS[Unit.WEIGHTS],
    "parameters": "#93c1ee",
    "activations out": UNITS[Unit.STORE],
}
"""By the word in `talos.runtime.traffic.KINDS`."""
