"""The proof steps about optimizers at a noisy minimum and along valleys, a chapter a file."""
