"""What should be there, re-derived from the API objects as the controllers derive it."""
