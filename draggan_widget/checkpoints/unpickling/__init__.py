"""Reads pickles without running them: bytes, opcodes, an allow-list of globals, tensors that stay in the file."""
