"""Which algorithm of the Adam family, or of momentum, an optimizer is, exactly."""
