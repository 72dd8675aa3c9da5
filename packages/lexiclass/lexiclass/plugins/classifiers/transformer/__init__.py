"""Fine-tuned pretrained encoder."""
