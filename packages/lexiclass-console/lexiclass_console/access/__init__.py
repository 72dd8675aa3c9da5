"""Who somebody is, and whether a request is what it seems."""
