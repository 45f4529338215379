"""The proof steps about the two-layer cubic CNN, a chapter a file."""
