"""Generators: from a latent to features and pictures."""
