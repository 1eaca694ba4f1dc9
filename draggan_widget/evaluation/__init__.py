"""How good a drag is, measured."""
