"""Who may do what in the console, and what they did."""
