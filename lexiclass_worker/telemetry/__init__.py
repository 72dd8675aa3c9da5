"""Logs, metrics and health. Imports nothing above it, so that any room can use it."""
