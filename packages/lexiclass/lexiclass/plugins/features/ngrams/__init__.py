"""Counts of n-grams: `bow` and `tfidf`."""
