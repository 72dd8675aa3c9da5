"""Tokenizers, each a module or a subpackage."""
