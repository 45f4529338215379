"""The proof steps about scale-invariant weights, a chapter a file."""
