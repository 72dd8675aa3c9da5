"""One attempt at a task: its lifecycle, what a service works with, and who settles what is left."""
