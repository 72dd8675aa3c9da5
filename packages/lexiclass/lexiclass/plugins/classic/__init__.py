"""Plugins written for the predecessor, as they are."""
