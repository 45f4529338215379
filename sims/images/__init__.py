"""Convolutional networks trained on real images."""
