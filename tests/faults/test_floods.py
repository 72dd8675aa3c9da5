"""More of one thing than anybody should send: others are served all the same."""

import uuid
from functools import partial

import psutil
import pytest

from tests.support.house import House
from tests.support.workers import wait_until

FLOOD = 20_000
# Of five kinds and two queues; each is said once, and then once a minute how often.
MOST_LINES = 60

JUNK = (b"\xff\xfe", b"", b"{}", b"[" * 5_000, b'{"queue_name": "elsewhere"}')


def flood(house: House, queue: str) -> None:
    """Put entries on a queue that are no messages."""
    pipeline = house.sender.broker.client.pipeline(transaction=False)
    for number in range(FLOOD):
        key = str(uuid.uuid4())
        pipeline.hset(f"{house.sender.namespace}:{queue}.msgs", key, JUNK[number % len(JUNK)])
        pipeline.rpush(f"{house.sender.namespace}:{queue}", key)
    pipeline.execute()


@pytest.mark.slow
def test_a_flood_of_junk_leaves_others_served_the_log_short_and_redis_small(
    own_house: House,
) -> None:
    client, namespace = own_house.sender.broker.client, own_house.sender.namespace

    def is_bounded(key: str) -> bool:
        return bool(client.zcard(key) <= 100)

    with own_house.worker(DRAMATIQ__DEAD_LETTERS="100") as group:
        own_house.database.failed(own_house.send("index_documents", project_id=999))
        before = memory(group.process.pid)
        for queue in ("indexing", "prediction"):
            flood(own_house, queue)
        good = [own_house.send("index_documents", project_id=999) for _ in range(5)]
        for message_id in good:
            assert own_house.database.failed(message_id)["error"]["code"] == "NOT_FOUND"
        own_house.wait_settled()
        for queue in ("indexing", "prediction"):
            key = f"{namespace}:{queue}.XQ"
            wait_until(partial(is_bounded, key))
            assert client.hlen(f"{key}.msgs") == client.zcard(key)
        assert memory(group.process.pid) - before < 2**27
    (log,) = own_house.directory.glob("worker-*.log")
    said = [line for line in log.read_text().splitlines() if "dead letters" in line]
    assert 0 < len(said) < MOST_LINES


@pytest.mark.slow
def test_a_flood_of_one_projects_predictions_leaves_a_thread_for_others(own_house: House) -> None:
    with own_house.worker(threads=2, LIMITS__PREDICTIONS_PER_PROJECT="1"):
        busy, other = own_house.project(), own_house.project()
        for project in (busy, other):
            own_house.train(project)
        own_house.pause("prediction")
        many = [own_house.send_prediction(busy, busy.test_ids) for _ in range(100)]
        one = own_house.send_prediction(other, other.test_ids)
        own_house.resume()
        ended = own_house.database.succeeded(one)["finished_at"]
        ends = sorted(own_house.database.succeeded(each)["finished_at"] for each in many)
    assert ended < ends[50]


def memory(pid: int) -> int:
    """What a group of worker processes holds, in bytes."""
    process = psutil.Process(pid)
    return sum(each.memory_info().rss for each in (process, *process.children(recursive=True)))
