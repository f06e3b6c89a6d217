"""A packet walked through nodes as the kernel does."""
