"""Files become a ``Checkpoint``: numbers and tensors only; no code found in a file is ever run."""
