"""What people do from a terminal or a console, on the database and the storage.

No worker need run. Some of it computes in the process that calls it.
"""
