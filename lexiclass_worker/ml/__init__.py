"""What runs in the sandbox: pure, synchronous, files in, files out. Calls the LexiClass library."""
