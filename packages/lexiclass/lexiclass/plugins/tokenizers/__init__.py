"""Tokenizers, one a module."""
