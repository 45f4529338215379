"""Studies carried out: their parts computed, kept, gathered and judged."""
