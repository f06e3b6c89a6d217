"""A report, and the catalogue of checks, in the forms that people and programs read."""
