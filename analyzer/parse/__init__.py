"""Text of a bundle to records: one module for each grammar, and the only code that knows lark."""
