"""Measured against goal: how often the console is wrong, run forward through `evaluate`."""
