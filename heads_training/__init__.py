"""The code that made the bundled checkpoint: renderer, training, measurements."""
