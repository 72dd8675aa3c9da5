"""What Redis holds of the queues: names of keys, what an entry must be, messages, dead letters."""
