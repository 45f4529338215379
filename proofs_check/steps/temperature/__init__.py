"""The proof steps about the temperature of SGD, a chapter a file."""
