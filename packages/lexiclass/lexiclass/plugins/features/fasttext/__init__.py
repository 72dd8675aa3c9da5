"""Means of word vectors."""
