"""What the product costs, measured beside what it can not do without."""
