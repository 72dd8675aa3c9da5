"""Plugins: what they must offer, the ones built in, and where they are found."""
