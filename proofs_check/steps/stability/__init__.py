"""The proof steps about the stability of SGD with momentum, a chapter a file."""
