"""What is there, recovered from rules and logs in the neutral form of `analyzer.model.forwarding`."""
