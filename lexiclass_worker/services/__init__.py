"""One use case a module: short transactions, storage, sandbox. No Dramatiq, no ML in here."""
