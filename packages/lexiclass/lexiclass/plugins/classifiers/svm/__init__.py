"""Linear support vector machine."""
