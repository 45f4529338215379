"""Watch a theorem of deep-learning theory happen, iteration by iteration, and check every step of it."""
