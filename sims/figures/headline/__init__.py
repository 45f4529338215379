"""The figures of a trajectory of the cubic CNN."""
