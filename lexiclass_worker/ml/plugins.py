"""The plugins that are installed, in plain values."""

from typing import Any

from lexiclass.plugins.builtin import default_registry
from lexiclass_worker.jobs.plugins import DescribePluginsJob
from lexiclass_worker.jobs.supervision import ReportProgress


def describe_plugins(_job: DescribePluginsJob, _report: ReportProgress) -> dict[str, Any]:
    """Describe them: ``plugins``, as :meth:`lexiclass.plugins.registry.Registry.describe` does.

    Each with ``parameter_names``: the order of a schema is lost where PostgreSQL keeps it.
    """
    return {
        "plugins": [
            {**each, "parameter_names": list(each.get("parameters", {}).get("properties", {}))}
            for each in default_registry().describe()
        ]
    }
