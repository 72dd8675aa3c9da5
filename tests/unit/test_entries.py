"""What is a message, and what is none."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lexiclass_core.keys import SHORTEST_KEY
from lexiclass_core.queueing.entries import EntryRules, RefusedMessage, queue_of_actor
from lexiclass_core.signing import Signer, signed_content
from lexiclass_worker.queueing.follow_ups import remove_unusable

SIGNER = Signer(b"k" * SHORTEST_KEY)
RULES = EntryRules(queue_of=queue_of_actor, most_bytes=10_000)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5),
    max_leaves=20,
)


def fields(**changes: Any) -> dict[str, Any]:
    return {
        "queue_name": "training", "actor_name": "train_field_model", "args": [],
        "kwargs": {"project_id": 1}, "options": {"redis_message_id": "k"}, "message_id": "m",
        "message_timestamp": 1, **changes,
    }  # fmt: skip


def read(message: Any, rules: EntryRules = RULES) -> dict[str, Any]:
    entry = message if isinstance(message, bytes) else json.dumps(message).encode()
    return rules.read(entry, queue="training", key=b"k")


REFUSED: dict[str, tuple[Any, str]] = {
    "bytes": (b"\xff", "UTF-8"),
    "text": (b"hello", "not JSON"),
    "a number of 5,000 digits": (b"9" * 5_000, "not JSON"),
    "nested": (b"[" * 9_000, "nested too deeply"),
    "large": (b" " * 10_001, "more than 10000 bytes"),
    "a list": ([], "no object"),
    "no queue": ({}, "queue_name"),
    "args of a text": (fields(args="ab"), "args"),
    "more fields": (fields(surprise=1), "1 fields"),
    "another queue": (fields(queue_name="prediction"), "another queue"),
    "unknown actor": (fields(actor_name="x"), "actor that there is not"),
    "an actor of another queue": (
        fields(actor_name="index_documents"), "served in queue indexing"
    ),
    "another key": (fields(options={"redis_message_id": "l"}), "redis_message_id"),
}  # fmt: skip


@pytest.mark.parametrize(("message", "reason"), REFUSED.values(), ids=REFUSED.keys())
def test_what_is_no_message_is_refused_with_the_reason(message: Any, reason: str) -> None:
    with pytest.raises(RefusedMessage, match=reason):
        read(message)


def test_more_values_than_a_message_has_are_refused_before_they_are_parsed() -> None:
    rules = EntryRules(queue_of=queue_of_actor, most_bytes=2**23)
    with pytest.raises(RefusedMessage, match="more than 2000000 values"):
        read(b"[" + b"[]," * 1_100_000 + b"[]]", rules)


def test_a_message_without_an_id_has_that_of_its_key() -> None:
    message = fields()
    del message["message_id"], message["message_timestamp"]
    assert read(message)["message_id"] == "k"
    assert read(message)["message_timestamp"] > 10**12


@given(message=JSON | st.fixed_dictionaries({}, optional=dict.fromkeys(fields(), JSON)))
def test_whatever_comes_is_a_message_or_refused(message: Any) -> None:
    with suppress(RefusedMessage):
        assert read(message)["actor_name"] == "train_field_model"


@given(options=st.fixed_dictionaries({}, optional=dict.fromkeys(
    ("eta", "retries", "pipe_target", "on_success", "on_failure", "group_completion_uuid",
     "group_completion_callbacks", "throws", "time_limit", "result_ttl", "priority"), JSON,
)))  # fmt: skip
def test_whatever_options_come_those_that_are_left_can_be_used(options: dict[str, Any]) -> None:
    remove_unusable(options, RULES)
    assert type(options.get("retries", 0)) is int
    for name in ("on_success", "on_failure"):
        assert name not in options or queue_of_actor(options[name]) is not None
    target = options.get("pipe_target")
    assert target is None or queue_of_actor(target["actor_name"]) == target["queue_name"]
    assert not {"throws", "time_limit", "group_completion_uuid"} & options.keys()
    # Once more changes nothing.
    assert remove_unusable(options, RULES) == []


@given(kwargs=st.dictionaries(st.text(), JSON), options=st.dictionaries(st.text(), JSON))
def test_a_signature_holds_through_any_json_encoder_and_on_the_way(
    kwargs: dict[str, Any], options: dict[str, Any]
) -> None:
    message = fields(kwargs=kwargs, options=options)
    message["options"]["signature"] = SIGNER.sign(message)
    carried = json.loads(json.dumps(message, ensure_ascii=False, indent=1))
    carried["options"] |= {"redis_message_id": "x", "eta": 5, "retries": 3}
    carried["queue_name"] += ".DQ"
    assert SIGNER.verifies(carried)
    carried["kwargs"]["another argument"] = 1
    assert not SIGNER.verifies(carried)


def test_what_is_signed_is_what_the_documentation_says() -> None:
    assert signed_content(fields(options={"b": 1, "a": "ä", "eta": 2})) == (
        b'["train_field_model","training","m",1,[],{"project_id":1},{"a":"\\u00e4","b":1}]'
    )


def test_a_message_that_is_too_deep_to_be_signed_is_not_signed() -> None:
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    message = fields(args=deep, options={"signature": "0" * 64})
    assert not SIGNER.verifies(message)


@pytest.mark.parametrize("keys", ["", " ", "short", f"{'k' * 32} short"])
def test_keys_that_are_too_short_are_refused_without_being_shown(keys: str) -> None:
    with pytest.raises(ValueError, match="fewer than 32 characters") as raised:
        Signer.of(keys)
    assert "kkkk" not in str(raised.value)
