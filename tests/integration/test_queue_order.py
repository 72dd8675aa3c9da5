"""The order in which messages are taken, on a real Redis and beside Dramatiq's own commands."""

import json
import random
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from dramatiq import Message
from dramatiq.brokers.redis import RedisBroker
from dramatiq.common import current_millis
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from redis.exceptions import ResponseError

from lexiclass_core.queueing.entries import MOST_BYTES, EntryRules, queue_of_actor
from lexiclass_worker.queueing.order import QueueOrder, Taken
from lexiclass_worker.queueing.upkeep import QueueUpkeep
from tests.support.variants import examples

QUEUE = "training"
DELAYED = "training.DQ"
TRAIN, EVALUATE = "train_field_model", "evaluate_field_model"


# Of one call of the script: a piece of 1,000 entries, some commands each.
MOST_COMMANDS = 12_000


class Redis:
    """A queue as any producer fills it, and as our workers empty it."""

    def __init__(self, url: str) -> None:
        self.broker = RedisBroker(url=url, middleware=[], maintenance_chance=0)
        self.client = self.broker.client
        self.order = QueueOrder(
            self.client,
            "dramatiq",
            rules=EntryRules(queue_of=queue_of_actor),
            priorities={TRAIN: 20, EVALUATE: 10},
            limited=[TRAIN],
        )

    def send(
        self,
        *,
        priority: object = None,
        actor: str = EVALUATE,
        project_id: object = 1,
        at: int = 0,
        **kwargs: object,
    ) -> bytes:
        """Send a message as Dramatiq does. Returns its key."""
        message = Message[None](
            queue_name=QUEUE,
            actor_name=actor,
            args=(),
            kwargs={**kwargs, "project_id": project_id},
            options={} if priority is None else {"priority": priority},
            message_id=str(uuid.uuid4()),
            message_timestamp=at,
        )
        sent = self.broker.enqueue(message)
        return str(sent.options["redis_message_id"]).encode()

    def take(self, most: int = 1, full: tuple[str, ...] = ()) -> list[bytes]:
        """Take messages. Returns their keys."""
        return [taken.key for taken in self.taken(most, full)]

    def taken(self, most: int = 1, full: tuple[str, ...] = ()) -> list[Taken]:
        """Take messages."""
        return self.order.take(QUEUE, self.broker.broker_id, most=most, full=full)

    def delay(self, eta: object) -> bytes:
        """Put a message on the delay queue. Returns its key."""
        message = Message[None](
            queue_name=DELAYED, actor_name=EVALUATE, args=(), kwargs={}, options={"eta": eta}
        )
        return str(self.broker.enqueue(message).options["redis_message_id"]).encode()

    def bounded_take(self, most: int = 1) -> list[bytes]:
        """Take messages, and hold each call of the script against a bound on what it does."""
        script, order = self.order._script, self.order

        def measured(**arguments: Any) -> Any:
            before = self.commands()
            answer = script(**arguments)
            assert self.commands() - before < MOST_COMMANDS
            return answer

        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(order, "_script", measured)
            return self.take(most)

    def commands(self) -> int:
        """How many commands Redis has run, those of scripts included."""
        stats = self.client.info("commandstats")
        return sum(command["calls"] for command in stats.values())

    def take_due(self) -> list[bytes]:
        """Take what is due of the delay queue. Returns the keys."""
        taken = self.order.take_due(DELAYED, self.broker.broker_id, most=100)
        return [message.key for message in taken]

    def waiting_delayed(self) -> list[bytes]:
        """The keys that are on the delay queue, and in nobody's hands."""
        return list(self.client.lrange(f"dramatiq:{DELAYED}", 0, -1))

    def dead(self) -> dict[bytes, bytes]:
        """The dead letters."""
        keys = self.client.zrange(f"dramatiq:{QUEUE}.XQ", 0, -1)
        entries = dict(self.client.hgetall(f"dramatiq:{QUEUE}.XQ.msgs"))
        assert sorted(keys) == sorted(entries)
        return entries

    def index_size(self) -> int:
        """Messages in the index."""
        return int(self.client.hlen(f"dramatiq:{QUEUE}.places"))

    def remove_index(self, *parts: str) -> None:
        """Remove some keys of the index."""
        self.client.delete(*(f"dramatiq:{QUEUE}.{part}" for part in parts))


@pytest.fixture
def redis(broker_url: str) -> Iterator[Redis]:
    redis = Redis(broker_url)
    yield redis
    redis.client.connection_pool.disconnect()


def test_messages_go_by_priority_then_by_the_time_they_were_sent(redis: Redis) -> None:
    late = redis.send(at=9)
    training = redis.send(actor=TRAIN, at=1)
    early = redis.send(at=3)
    low = redis.send(priority=500, at=0)
    urgent = redis.send(priority=-7, at=99)
    assert redis.take(5) == [urgent, early, late, training, low]
    assert redis.take() == []


def test_a_priority_that_is_no_integer_is_that_of_the_actor(redis: Redis) -> None:
    odd = [redis.send(priority=priority, at=2) for priority in (0.5, True, "0", [0])]
    first = redis.send(at=1)
    last = redis.send(priority=11, at=0)
    beyond = redis.send(priority=-(10**9), at=9)
    taken = redis.take(7)
    assert (taken[:2], sorted(taken[2:6]), taken[6]) == ([beyond, first], sorted(odd), last)


def test_a_message_overtakes_any_number_of_others(redis: Redis) -> None:
    # More than are noted at a time.
    others = [redis.send(priority=50, at=number) for number in range(2_500)]
    assert redis.take() == others[:1]
    urgent = redis.send(priority=0, at=5_000)
    assert redis.take(3) == [urgent, others[1], others[2]]
    assert redis.index_size() == redis.client.llen(f"dramatiq:{QUEUE}") == 2_497


def test_messages_of_a_full_group_stay_in_their_place_and_others_pass(redis: Redis) -> None:
    first = redis.send(actor=TRAIN, project_id=1, at=1)
    second = redis.send(actor=TRAIN, project_id=1, at=2)
    other = redis.send(actor=TRAIN, project_id=2, at=3)
    evaluation = redis.send(actor=EVALUATE, project_id=1, at=4)
    taken = redis.taken(9, full=(f"{TRAIN}/1",))
    assert [(item.key, item.group) for item in taken] == [
        (evaluation, None),
        (other, f"{TRAIN}/2"),
    ]
    # One of a group at a time: the rest is counted against its limit first.
    assert redis.take(9) == [first]
    assert redis.take(9) == [second]


def test_what_is_put_back_keeps_its_turn(redis: Redis) -> None:
    keys = [redis.send(at=number) for number in range(3)]
    (taken,) = redis.taken()
    assert taken.key == keys[0]
    redis.broker.do_requeue(QUEUE, taken.key)
    assert redis.take(3) == keys


def test_without_its_index_a_queue_is_taken_in_order_all_the_same(redis: Redis) -> None:
    keys = [redis.send(at=number) for number in range(5)]
    assert redis.take() == keys[:1]
    redis.remove_index("turns", "places")
    assert redis.take(2) == keys[1:3]
    redis.broker.flush(QUEUE)
    assert redis.take() == []
    assert list(redis.client.scan_iter(f"dramatiq:{QUEUE}.*")) == []


@pytest.mark.parametrize("part", ["turns", "places", "groups", "twice"])
def test_a_queue_with_part_of_its_index_loses_no_message(redis: Redis, part: str) -> None:
    keys = {redis.send(actor=actor, at=at) for at, actor in enumerate((TRAIN, EVALUATE) * 3)}
    keys -= set(redis.take())
    redis.remove_index(part)
    taken = [key for _ in range(9) for key in redis.take(9)]
    assert sorted(taken) == sorted(keys)


NOTE = '"options": {"priority": 7}, "kwargs": {"project_id": 2}'
FIELDS = [
    "queue_name",
    "actor_name",
    "args",
    "kwargs",
    "options",
    "message_id",
    "message_timestamp",
]


@pytest.mark.parametrize("bulk", ["kwargs", "options", "args", "message_id"])
@pytest.mark.parametrize("turn", range(len(FIELDS)))
def test_a_large_message_has_its_priority_and_its_project_however_it_is_written(
    redis: Redis, bulk: str, turn: int
) -> None:
    def put(*, priority: int | None, at: int, actor: str = EVALUATE) -> bytes:
        key = str(uuid.uuid4())
        options = {"redis_message_id": key} | ({} if priority is None else {"priority": priority})
        message: dict[str, Any] = {
            "queue_name": QUEUE, "actor_name": actor, "args": [], "kwargs": {"project_id": 1},
            "options": options, "message_id": "m", "message_timestamp": at,
        }  # fmt: skip
        large = [NOTE * 2_000]
        if bulk in {"kwargs", "options"}:
            message[bulk] = {"note": large, **message[bulk], "another": large}
        else:
            message[bulk] = large if bulk == "args" else large[0]
        fields = [*FIELDS[turn:], *FIELDS[:turn]]
        entry = json.dumps({name: message[name] for name in fields})
        redis.broker.do_enqueue(QUEUE, key, entry)
        return key.encode()

    later = put(priority=None, at=5, actor=TRAIN)
    urgent = put(priority=-1, at=9)
    first = put(priority=None, at=1, actor=TRAIN)

    taken = redis.taken(3)

    assert [item[::2] for item in taken] == [(urgent, None), (first, f"{TRAIN}/1")]
    entries = [json.loads(item.entry) for item in taken if item.entry is not None]
    assert [entry["message_timestamp"] for entry in entries] == [9, 1]
    assert redis.take(1, full=(f"{TRAIN}/1",)) == []
    assert redis.take(1) == [later]


def test_the_script_handles_a_bounded_number_of_bytes_at_a_time(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While it runs Redis answers nobody: what it copies is what it costs."""
    for at in range(60):
        redis.send(at=at, note="x" * 60_000)
        redis.send(at=at, note="x" * 200_000)
    answers: list[int] = []
    script = redis.order._script

    def measured(**arguments: Any) -> Any:
        answer = script(**arguments)
        answers.append(sum(len(part) for part in answer if isinstance(part, bytes)))
        return answer

    monkeypatch.setattr(redis.order, "_script", measured)

    assert len(redis.take(20)) == 20
    assert len(answers) > 3
    assert max(answers) < 2**20 + 2**16


def test_what_is_no_message_takes_nobodys_turn_however_much_of_it_there_is(redis: Redis) -> None:
    urgent = redis.send(priority=-1, at=7)
    pipeline = redis.client.pipeline()
    for number in range(3_000):
        pipeline.hset(f"dramatiq:{QUEUE}.msgs", f"junk-{number}", b"\xff" * (number % 7))
        pipeline.rpush(f"dramatiq:{QUEUE}", f"junk-{number}", f"nothing-{number}")
    pipeline.execute()
    later = redis.send(at=1)

    assert redis.bounded_take(2) == [urgent, later]

    assert redis.client.llen(f"dramatiq:{QUEUE}") == 0
    assert len(redis.dead()) == 3_000
    assert redis.client.hlen(f"dramatiq:{QUEUE}.msgs") == 2


def test_a_message_that_is_larger_than_any_may_be_is_not_kept(redis: Redis) -> None:
    redis.client.hset(f"dramatiq:{QUEUE}.msgs", "large", b"x" * (MOST_BYTES + 1))
    redis.client.rpush(f"dramatiq:{QUEUE}", "large")
    good = redis.send()

    assert redis.take(2) == [good]

    assert redis.dead() == {b"large": b"(an entry of 16777217 bytes, which are not kept)"}


@pytest.mark.slow
def test_a_key_that_stands_in_the_list_again_and_again_costs_a_look_once(redis: Redis) -> None:
    keys = [redis.send(at=number) for number in range(3_000)]
    for _ in range(50):
        redis.client.rpush(f"dramatiq:{QUEUE}", keys[2_000])
    assert redis.bounded_take() == keys[:1]
    before = redis.commands()
    assert redis.bounded_take() == keys[1:2]
    # Besides what asks for them.
    assert redis.commands() - before < 40
    taken: list[bytes] = []
    while more := redis.bounded_take(900):
        taken += more
    assert [key for key in taken if key != keys[2_000]] == [*keys[2:2_000], *keys[2_001:]]


@pytest.mark.slow
def test_an_index_of_messages_that_others_have_taken_is_made_anew(redis: Redis) -> None:
    keys = [redis.send(priority=number % 2, at=number) for number in range(2_000)]
    assert redis.take() == keys[:1]
    # Somebody who knows nothing of the index.
    for key in keys[1:1_900]:
        redis.client.lrem(f"dramatiq:{QUEUE}", 1, key.decode())
    assert redis.bounded_take() == keys[1_900:1_901]
    assert redis.index_size() == 99


GARBAGE = {
    "turns of nothing": ("zadd", "turns", {"": -1e300, "z": -1e299, "gno/1": -1e298, "kno": -1}),
    "groups of nothing": ("zadd", "groups", {f"{TRAIN}/1:xx:k": 0, "": 0, f"{TRAIN}/1:": 0}),
}


@pytest.mark.parametrize("garbage", GARBAGE.values(), ids=GARBAGE.keys())
def test_garbage_in_the_index_holds_up_nothing_for_long(
    redis: Redis, garbage: tuple[str, str, dict[str, float]]
) -> None:
    command, part, content = garbage
    keys = [redis.send(actor=actor, at=1) for actor in (TRAIN, EVALUATE, TRAIN)]
    keys.remove(redis.take()[0])
    getattr(redis.client, command)(f"dramatiq:{QUEUE}.{part}", content)
    upkeep = QueueUpkeep(redis.client, "dramatiq", most_dead=9, most_dead_bytes=9)
    taken: list[bytes] = []
    for _ in range(5):
        try:
            taken += redis.bounded_take(2)
        except ResponseError:
            # As the consumer does.
            upkeep.heal(QUEUE)
    assert sorted(taken) == sorted(keys)


def any_message(number: int) -> tuple[str, str]:
    """A message of some size and order of fields, or nearly one."""
    choose = random.Random(number)
    key = f"{number}"
    text = choose.choice(["x", "[", '{"options": ', '"options": {', "\\", " ", "1,", "\n"])
    size = round(10 ** choose.uniform(0, 5 if number % 100 else 5.5))
    message = {
        "queue_name": QUEUE, "actor_name": choose.choice([TRAIN, EVALUATE]), "args": [],
        "kwargs": {"project_id": choose.randrange(50), "note": text * (size // len(text))},
        "options": {"redis_message_id": key, "priority": choose.randrange(-5, 5)},
        "message_id": key, "message_timestamp": choose.randrange(10**9),
    }  # fmt: skip
    fields = list(message)
    choose.shuffle(fields)
    entry = json.dumps({name: message[name] for name in fields})
    return key, entry if choose.random() < 0.8 else entry[: choose.randrange(len(entry))]


@pytest.mark.parametrize("number", [2_000, pytest.param(100_000, marks=pytest.mark.slow)])
@pytest.mark.timeout(1_200)
def test_each_call_of_the_script_does_a_bounded_piece_of_work(redis: Redis, number: int) -> None:
    """Of messages of every size and order of fields; by what Redis does, not by how long."""
    sent = 0
    for first in range(0, number, 1_000):
        pipeline = redis.client.pipeline(transaction=False)
        for key, entry in map(any_message, range(first, first + 1_000)):
            pipeline.hset(f"dramatiq:{QUEUE}.msgs", key, entry)
            pipeline.rpush(f"dramatiq:{QUEUE}", key)
            sent += 1
        pipeline.execute()
        # As fast as they come, but for some.
        while redis.client.llen(f"dramatiq:{QUEUE}") > 300:
            taken = redis.bounded_take(900)
            redis.client.hdel(f"dramatiq:{QUEUE}.msgs", *taken)
            sent -= len(taken)
        if first % 10_000 == 9_000:
            sent -= len(redis.dead())
            redis.client.delete(f"dramatiq:{QUEUE}.XQ", f"dramatiq:{QUEUE}.XQ.msgs")
    while taken := redis.bounded_take(900):
        sent -= len(taken)
    assert sent == len(redis.dead())
    assert redis.client.llen(f"dramatiq:{QUEUE}") == 0


@pytest.mark.slow
def test_the_script_moves_a_bounded_number_of_bytes_to_the_dead_letters_at_a_time(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(12):
        redis.broker.do_enqueue(QUEUE, f"{number}", b"[" * 3_000_000)
    moved: list[int] = []
    script = redis.order._script

    def measured(**arguments: Any) -> Any:
        before = len(redis.dead())
        answer = script(**arguments)
        moved.append(len(redis.dead()) - before)
        return answer

    monkeypatch.setattr(redis.order, "_script", measured)

    assert redis.take() == []
    assert (sum(moved), max(moved)) == (12, 1)


@pytest.mark.slow
@pytest.mark.parametrize("size", [70_000, 120_000, 1_000_000, 4_000_000])
def test_no_message_stops_redis_whatever_its_size_and_order_of_fields(
    redis: Redis, size: int
) -> None:
    """Redis' own log of slow commands, by the clock on the wall of a machine that may be busy.

    Each takes a few milliseconds; reading such a message in the script took seconds.
    """
    redis.client.config_set("slowlog-log-slower-than", 500_000)
    redis.client.config_set("slowlog-max-len", 1_000)
    texts = ["x", "[", '{"options": ', '"options": {', '"actor_name": "', "\\", " ", "1,"]
    for number, text in enumerate(texts):
        for turn in range(len(FIELDS)):
            message = dict.fromkeys([*FIELDS[turn:], *FIELDS[:turn]], text * 10)
            message[FIELDS[number % len(FIELDS)]] = text * (size // len(text))
            entry = json.dumps(message)
            redis.broker.do_enqueue(QUEUE, f"{number}-{turn}", entry)
            redis.broker.do_enqueue(DELAYED, f"{number}-{turn}", entry)
        redis.broker.do_enqueue(QUEUE, f"{number}-raw", text * (size // len(text)))
    redis.client.slowlog_reset()

    while redis.take(8) or redis.take_due():
        pass

    slow = [entry["command"][:60] for entry in redis.client.slowlog_get(100)]
    assert [command for command in slow if b"EVAL" in command.upper()] == []


@pytest.mark.parametrize("priority", ["high", None, True, [], {}, float("nan"), 1e300, -(10**30)])
@pytest.mark.parametrize("project_id", [2**60, 1.5, "1", None])
def test_whatever_a_sender_puts_there_is_taken(
    redis: Redis, priority: object, project_id: object
) -> None:
    key = redis.send(actor=TRAIN, priority=priority, project_id=project_id, at=-5)
    redis.client.rpush(f"dramatiq:{QUEUE}", "a key of nothing")
    redis.broker.do_enqueue(QUEUE, "no-json", b"[" * 5_000)
    assert redis.take(3) == [key]
    assert redis.client.lrange(f"dramatiq:{QUEUE}", 0, -1) == []
    assert redis.dead() == {b"no-json": b"[" * 5_000}


def test_taken_messages_are_those_that_dramatiq_holds_for_this_worker(redis: Redis) -> None:
    key = redis.send()
    redis.take()
    acks = f"dramatiq:__acks__.{redis.broker.broker_id}.{QUEUE}"
    assert redis.client.smembers(acks) == {key}
    assert redis.client.zscore("dramatiq:__heartbeats__", redis.broker.broker_id) is not None
    redis.broker.do_ack(QUEUE, key)
    assert redis.broker.do_qsize(QUEUE) == 0


def test_delayed_messages_are_taken_when_they_are_due_and_not_before(redis: Redis) -> None:
    now = current_millis()
    later, due, earlier, timeless = (
        redis.delay(eta) for eta in (now + 60_000, now - 1_000, now - 2_000, "soon")
    )
    assert redis.take_due() == [timeless, earlier, due]
    assert redis.take_due() == []
    assert redis.waiting_delayed() == [later]


def test_any_number_of_messages_that_are_due_some_day_hold_up_none_that_is_due(
    redis: Redis,
) -> None:
    some_day = current_millis() + 86_400_000
    for _ in range(1_200):
        redis.delay(some_day)
    due = redis.delay(current_millis())
    assert redis.take_due() == [due]


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("send"), st.integers(-3, 3)),
        st.tuples(st.just("take"), st.integers(1, 4)),
        st.tuples(st.just("put back"), st.integers(0, 9)),
        st.tuples(st.just("fetch as dramatiq does"), st.integers(1, 2)),
        st.tuples(st.just("remove the index"), st.just(0)),
    ),
    max_size=40,
)


@hypothesis_settings(
    max_examples=examples(40), suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=STEPS)
def test_each_message_is_taken_once_and_none_before_its_turn(
    redis: Redis, steps: list[tuple[str, int]]
) -> None:
    """Also beside a worker that takes the oldest entries of the list without a word."""
    redis.client.flushall()
    waiting: dict[bytes, tuple[int, int]] = {}
    held: dict[bytes, tuple[int, int]] = {}
    for time, (step, number) in enumerate(steps):
        match step:
            case "send":
                waiting[redis.send(priority=number, at=time)] = (number, time)
            case "take":
                due = sorted(waiting, key=waiting.__getitem__)[:number]
                assert redis.take(number) == due
                held |= {key: waiting.pop(key) for key in due}
            case "put back" if held:
                key = sorted(held)[number % len(held)]
                redis.broker.do_requeue(QUEUE, key)
                waiting[key] = held.pop(key)
            case "fetch as dramatiq does":
                for entry in redis.broker.do_fetch(QUEUE, number):
                    key = str(Message.decode(entry).options["redis_message_id"]).encode()
                    held[key] = waiting.pop(key)
            case "remove the index":
                redis.remove_index("turns", "places")
            case _:
                assert step == "put back"
    assert redis.take(99) == sorted(waiting, key=waiting.__getitem__)
