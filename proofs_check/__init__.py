"""What is proved by machine: symbols, enclosures and solvers."""
