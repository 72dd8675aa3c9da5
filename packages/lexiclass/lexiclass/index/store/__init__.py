"""What indexes of tokens and of embeddings have in common: generations of documents in shards."""
