"""Words by spaCy."""
