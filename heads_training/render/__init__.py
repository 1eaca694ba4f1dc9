"""The renderer of drawn heads, on which the bundled generator is trained."""
