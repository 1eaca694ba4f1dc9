"""Drawn heads, from which a small face generator is trained."""
