"""Embeddings by a pretrained sentence encoder."""
