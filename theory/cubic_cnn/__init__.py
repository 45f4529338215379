"""The two-layer cubic CNN of the central theorem: parameters, law, systems, quantities, predictions, claims."""
