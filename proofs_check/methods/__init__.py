"""The methods that proof steps share: equality of expressions, real arithmetic by a solver, enclosures by balls."""
