"""Feature extractors, each a module or a subpackage."""
