"""Timings of this project beside PyTorch and JAX on the same work: ``lemmascope bench``."""
