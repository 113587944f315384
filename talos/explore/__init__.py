"""Design-space exploration: many configurations with their exact cycles and estimated area, and which of them are worth having."""
