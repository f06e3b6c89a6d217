"""Frozen values without input or output: what the parsers produce and everything else reads."""
