"""Checkpoints by name: the catalogue, the cache, downloads, and the sha256 each file must have."""
