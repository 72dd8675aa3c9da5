"""Feature extractors, one a module."""
