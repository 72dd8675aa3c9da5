"""Documents as tokens."""
