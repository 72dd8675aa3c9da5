"""What is known of the plugins that a worker has."""

from dataclasses import dataclass
from typing import ClassVar

from lexiclass_worker.jobs.job import Access


@dataclass(frozen=True, slots=True, kw_only=True)
class DescribePluginsJob:
    """Describe every plugin that is installed, with the schema of its parameters."""

    function: ClassVar[str] = "lexiclass_worker.ml.plugins:describe_plugins"
    reuses_child: ClassVar[bool] = False

    @property
    def access(self) -> Access:
        return Access()
