"""What is told of each queue, with a series for those that nothing is in."""

from collections.abc import Mapping

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily

from lexiclass_core.queue_config import QueueName


def by_queue(name: str, text: str, values: Mapping[str, float]) -> Metric:
    """A gauge with a value for each queue, 0 where none is given: an alert sees it go up."""
    metric = GaugeMetricFamily(name, text, labels=["queue"])
    for queue in QueueName:
        metric.add_metric([queue], values.get(queue, 0))
    return metric
