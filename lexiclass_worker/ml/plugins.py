"""The plugins that are installed, in plain values."""

from typing import Any

from lexiclass.plugins.builtin import default_registry
from lexiclass_worker.jobs.plugins import DescribePluginsJob
from lexiclass_worker.jobs.supervision import ReportProgress


def describe_plugins(job: DescribePluginsJob, report: ReportProgress) -> dict[str, Any]:
    """Describe them: ``plugins``, as :meth:`lexiclass.plugins.registry.Registry.describe` does."""
    del job, report
    return {"plugins": list(default_registry().describe())}
