"""Runs a job of :mod:`lexiclass_worker.jobs` in a child process.

Only a process can be stopped inside a C call, and only a process of its own can be lost to the
out-of-memory killer without taking the worker along. Children come from a fork server that has
the libraries loaded, so that one starts in milliseconds. What a child sends back is JSON: nothing
that parsed a foreign file can make the worker unpickle anything.
"""

from lexiclass_worker.sandbox.pool import Sandbox
from lexiclass_worker.sandbox.questions import Supervisor
from lexiclass_worker.sandbox.replies import ModelLookup

__all__ = ["ModelLookup", "Sandbox", "Supervisor"]
