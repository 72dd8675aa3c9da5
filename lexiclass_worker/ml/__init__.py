"""What runs in the sandbox: pure, synchronous, files in, files out. Calls the LexiClass library.

Importing the package imports everything the sandbox's children need.
"""
