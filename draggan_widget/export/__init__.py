"""What a drag computed, as files for other programs."""
