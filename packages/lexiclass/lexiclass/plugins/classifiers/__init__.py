"""Classifiers, one a module."""
