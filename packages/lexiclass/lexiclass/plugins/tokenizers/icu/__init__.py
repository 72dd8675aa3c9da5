"""Words by ICU."""
