"""Whether the libraries load as workers load them, and a child does a job."""

import asyncio

from lexiclass_worker.config import Settings
from lexiclass_worker.jobs.training import ValidateJob
from lexiclass_worker.sandbox import Sandbox
from lexiclass_worker.telemetry.checks import Look, checked


@checked(
    "sandbox", remedy="install lexiclass-worker anew; what the libraries say is on standard error"
)
def check_sandbox(settings: Settings) -> Look:
    """What /readyz only begins with: the fork server of workers, and a job in a child of it."""
    sandbox = Sandbox.from_settings(settings, tasks=1)
    sandbox.warm_up()
    asyncio.run(sandbox.run(ValidateJob(pipeline={})))
    return Look("a child has done a job")
