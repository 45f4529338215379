"""The proof steps about ReLU students, a chapter a file."""
