"""What annotation tools export: Label Studio, doccano, Prodigy and Argilla."""
