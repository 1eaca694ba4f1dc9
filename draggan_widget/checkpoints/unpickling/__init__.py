"""Pickles read without running them: bytes, opcodes, an allow-list of globals, tensors left in the file."""
