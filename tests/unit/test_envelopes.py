"""Messages that are made of rows, and rows of which none can be made."""

import json

import pytest

from lexiclass_core.models import Task
from lexiclass_core.queueing.entries import MOST_BYTES, MOST_VALUES
from lexiclass_core.queueing.envelopes import is_of_task, unsendable


def task(**request: object) -> Task:
    return Task(message_id="m", type="train_field_model", project_id=1, request=request)


def test_a_request_that_workers_would_refuse_is_not_sent() -> None:
    refused = unsendable(task(ids=[0] * MOST_VALUES), most_bytes=MOST_BYTES)
    assert refused is not None
    assert "more than 2000000 values" in refused.message
    assert unsendable(task(ids=[0] * (MOST_VALUES // 2)), most_bytes=MOST_BYTES) is None


@pytest.mark.parametrize(
    ("sent", "read"), [("1e30", "1" + "0" * 30), ("-2.5e20", "-250000000000000000000")]
)
def test_a_message_is_the_tasks_however_postgresql_writes_its_numbers(sent: str, read: str) -> None:
    row = task(project_id=1, classifier_params={"C": [json.loads(read)]})
    kwargs = {"project_id": 1, "classifier_params": {"C": [json.loads(sent)]}}
    assert is_of_task({"actor_name": "train_field_model", "kwargs": kwargs}, row)
    kwargs["classifier_params"] = {"C": [7.0]}
    assert not is_of_task({"actor_name": "train_field_model", "kwargs": kwargs}, row)
