"""What people do from a terminal, on the database and the storage; no worker need run."""
