"""How the bundled checkpoint was made."""
