"""What a drag computed, as numbers and figures."""
