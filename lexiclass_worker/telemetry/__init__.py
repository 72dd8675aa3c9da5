"""Logs, metrics and health. Used by the rooms above it, and imports none of them."""
