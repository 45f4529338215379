"""The command ``lemmascope``."""
