"""Pretrained models: where they are, and what of them may be loaded."""
