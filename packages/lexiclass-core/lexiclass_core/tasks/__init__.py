"""Tasks: what their rows mean, and the changes that the client and the workers both make."""
