"""What the actors do, a module each: short transactions, files, jobs for the sandbox."""
