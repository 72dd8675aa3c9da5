"""Entries of queues: by the rules of the consumer, and through real workers."""

import json
import uuid
from collections.abc import Callable
from typing import Any

import psutil
import pytest
from dramatiq import Message
from hypothesis import strategies as st
from pydantic import ValidationError

from lexiclass_core.operations import OPERATIONS
from lexiclass_core.queueing.entries import EntryRules, RefusedMessage, queue_of_actor
from lexiclass_core.schemas import (
    EvaluateFieldModel,
    IndexDocuments,
    PredictFieldDocuments,
    Request,
    TrainFieldModel,
)
from lexiclass_core.signing import Signer
from lexiclass_core.storable import is_storable
from lexiclass_worker.errors import translate
from lexiclass_worker.queueing.follow_ups import remove_unusable
from tests.support.changed_values import JUNK, NUMBERS, TEXTS, changed_bytes, changed_value
from tests.support.house import House
from tests.support.workers import wait_until

REQUEST: dict[str, dict[str, Any]] = {
    IndexDocuments.actor_name: {"project_id": 1, "tokenizer": "icu", "is_incremental": True},
    TrainFieldModel.actor_name: {
        "project_id": 1, "field_id": 1, "tokenizer": "icu", "feature_extractor": "tfidf",
        "classifier": "svm", "locale": "en", "tokenizer_params": {}, "classifier_params": {"C": 1},
        "feature_extractor_params": {"min_df": 1, "ngram_range": [1, 2]},
    },
    EvaluateFieldModel.actor_name: {"project_id": 1, "field_id": 1, "model_version": 1},
    PredictFieldDocuments.actor_name: {"project_id": 1, "field_id": 1, "document_ids": [1, 2, 3]},
}  # fmt: skip
OPTIONS = {
    "priority": 5, "eta": 1_700_000_000_000, "retries": 1, "max_retries": 3, "time_limit": 1000,
    "correlation_id": "a", "pipe_ignore": False, "is_reminder": False, "group_info": {"id": "x"},
    "pipe_target": {
        "queue_name": "indexing", "actor_name": "index_documents", "args": [], "options": {},
        "kwargs": {"project_id": 2}, "message_id": "next", "message_timestamp": 1,
    },
}  # fmt: skip


def message(actor: str, key: str, options: dict[str, Any]) -> dict[str, Any]:
    return {
        "queue_name": str(OPERATIONS[actor].queue),
        "actor_name": str(actor),
        "args": [],
        "kwargs": REQUEST[actor],
        "options": {**options, "redis_message_id": key},
        "message_id": key,
        "message_timestamp": 1_700_000_000_000,
    }


@st.composite
def entries(draw: st.DrawFn) -> tuple[str, str, bytes]:
    """A queue, a key and an entry: a message with changes, as JSON or as bytes."""
    actor = draw(st.sampled_from(sorted(REQUEST)))
    key = str(uuid.UUID(int=draw(st.integers(0, 2**128 - 1))))
    names = draw(st.lists(st.sampled_from(sorted(OPTIONS)), unique=True, max_size=4))
    whole = message(actor, key, {name: OPTIONS[name] for name in names})
    match draw(st.sampled_from(["any", "kwargs", "kwargs", "options", "bytes"])):
        case "any":
            whole = draw(changed_value(whole))
        case "bytes":
            data = json.dumps(whole).encode()
            return OPERATIONS[actor].queue, key, draw(changed_bytes(data))
        case part:
            whole[part] = draw(changed_value(whole[part]))
            if isinstance(whole["options"], dict) and draw(st.booleans()):
                whole["options"]["redis_message_id"] = key
    queue = draw(st.sampled_from([OPERATIONS[actor].queue] * 9 + ["bulk"]))
    return queue, key, json.dumps(whole).encode()


@pytest.mark.parametrize("signer", [None, Signer(b"k" * 32)], ids=["unsigned", "signed"])
def test_an_entry_is_a_message_or_refused(fuzz: Callable[..., None], signer: Signer | None) -> None:
    rules = EntryRules(queue_of=queue_of_actor, signer=signer)

    def examine(example: tuple[str, str, bytes]) -> None:
        queue, key, entry = example
        try:
            fields = rules.read(entry, queue=queue, key=key.encode())
        except RefusedMessage as refusal:
            reason = str(refusal)
        else:
            assert signer is None, "nobody has signed it"
            require_usable(fields)
            return
        assert is_storable(reason)
        assert len(reason) < 500

    def require_usable(fields: dict[str, Any]) -> None:
        remove_unusable(fields["options"], rules)
        json.dumps(fields)
        Message(**{**fields, "args": tuple(fields["args"])}).encode()

    fuzz(examine, entries())


def test_a_request_is_valid_or_says_in_bounds_why_not(fuzz: Callable[..., None]) -> None:
    @st.composite
    def requests(draw: st.DrawFn) -> tuple[str, Any]:
        actor = draw(st.sampled_from(sorted(REQUEST)))
        schema = OPERATIONS[actor].request
        request = draw(changed_value(REQUEST[actor]))
        if isinstance(request, dict):
            for name in draw(st.lists(st.sampled_from(sorted(schema.model_fields)), max_size=2)):
                request[name] = draw(JUNK | NUMBERS | TEXTS)
        return actor, request

    def examine(example: tuple[str, Any]) -> None:
        actor, request = example
        schema: type[Request] = OPERATIONS[actor].request
        try:
            valid = schema.model_validate(request)
        except ValidationError as error:
            said = translate(error).as_task_error()
            assert said.code == "VALIDATION_ERROR"
            assert len(said.model_dump_json()) < 200_000
            return
        if not is_storable(request):
            return  # as a worker finds before
        # What is taken is kept as it was meant: no "1" for 1, no 1.0, no extra.
        assert schema.model_validate_json(valid.model_dump_json()) == valid
        assert set(request) <= set(schema.model_fields)
        if isinstance(request.get("project_id"), int):
            assert valid.model_dump()["project_id"] == request["project_id"] > 0

    fuzz(examine, requests())


@pytest.mark.slow
@pytest.mark.timeout(0)
def test_workers_outlive_every_entry_and_run_the_good_ones(
    fuzz: Callable[..., None], own_house: House
) -> None:
    house = own_house
    with house.worker(threads=4) as group:
        worker = psutil.Process(group.process.pid)
        first = [each.pid for each in worker.children()]
        sizes: list[int] = []

        def examine(batch: list[tuple[str, str, bytes]]) -> None:
            for queue, key, entry in batch:
                house.sender.put(str(queue), key, entry)
            good = house.send("index_documents", project_id=999_999)
            assert house.database.failed(good, timeout_s=120)["error"]["code"] == "NOT_FOUND"
            wait_until(house_is_done, timeout_s=120)
            assert [each.pid for each in worker.children()] == first, "a process of the group died"
            sizes.append(sum(each.memory_info().rss for each in worker.children()))

        def house_is_done() -> bool:
            return not house.database.rows(
                "SELECT id FROM task WHERE finished_at IS NULL AND coalesce(not_before, now()) "
                "<= now() AND coalesce(next_attempt_at, now()) <= now()"
            )

        fuzz(examine, st.lists(entries(), min_size=1, max_size=20))
    odd = house.database.rows(
        "SELECT id, status, error FROM task WHERE status = 'failed' AND error->>'code' IN "
        "('INTERNAL_ERROR', 'CRASHED', 'MODEL_CORRUPT')"
    )
    assert odd == []
    if len(sizes) > 100:
        # Of the second half: what a process keeps of its first work is no leak.
        assert sizes[-1] - sizes[len(sizes) // 2] < 200 * 2**20
