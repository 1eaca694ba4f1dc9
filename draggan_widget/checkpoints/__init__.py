"""Reads checkpoint files into a `Checkpoint` of numbers and tensors; no code in a file is ever run."""
