"""The life of a task: from its message to its row's final status."""
