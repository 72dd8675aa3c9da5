"""Classifiers, each a module or a subpackage."""
