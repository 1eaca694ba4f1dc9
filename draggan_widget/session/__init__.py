"""The Python object that people script: generator, latent, edit and record, dragged by a worker thread."""
