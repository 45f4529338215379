"""The engine of the two-layer cubic CNN: data, systems, backends, and what a run records."""
