"""The proof steps about momentum, a chapter a file."""
