"""Momentum identities as properties of anyone's optimizer."""
