"""Runs on scale-invariant losses: many optimizers on the same noise, and an angle's law by powers of a matrix."""
