"""Chains of SGD with momentum at a fixed learning rate: on quadratics, on linear regression, on the cubic CNN."""
