"""Measures of how well drags work."""
