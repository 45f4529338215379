"""One file a proof step, each with a function that returns a verdict."""
