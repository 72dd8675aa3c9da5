"""What tests share: corpora, raw messages, workers."""
