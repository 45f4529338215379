"""Run the central experiment: another name of `lemmascope headline`."""

ALIAS = "headline"
