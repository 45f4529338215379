"""Runs on data that differ in one sample: their gap by exact recursions, and coupled runs."""
