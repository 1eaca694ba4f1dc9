"""The Python object people script: generator, latent, edit and record, with a worker that drags."""
