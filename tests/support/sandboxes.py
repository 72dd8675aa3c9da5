"""The sandbox of tests that have no worker: one for the process, with the defaults."""

from typing import Final

from lexiclass_worker.sandbox import Sandbox

sandbox: Final = Sandbox()
