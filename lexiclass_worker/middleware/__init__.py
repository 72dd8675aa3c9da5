"""Dramatiq middleware, one concern a module. The order is explained in lexiclass_worker.worker."""
