"""Reading bundles: archive or directory to named bytes, without extracting and without trust."""
