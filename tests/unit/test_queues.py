"""Queues, routes and when a failed attempt is tried again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lexiclass_core.operations import OPERATIONS, RetryPolicy
from lexiclass_core.queue_config import QueueName
from lexiclass_core.schemas import (
    EvaluateFieldModel,
    IndexDocumentChunk,
    IndexDocuments,
    PredictDocumentChunk,
    PredictFieldDocuments,
    TrainFieldModel,
)
from lexiclass_worker.config import Settings
from lexiclass_worker.errors import NotFound, SandboxCrashed, StorageUnavailable
from lexiclass_worker.execution.overrides import configured
from lexiclass_worker.execution.retry_policy import is_tried_again, retry_delay_s
from lexiclass_worker.setting_groups import LimitSettings, RetrySettings


def test_every_actor_has_the_queue_of_the_contract() -> None:
    assert {str(name): str(route.queue) for name, route in OPERATIONS.items()} == {
        "index_documents": "indexing",
        "index_document_chunk": "indexing",
        "train_field_model": "training",
        "evaluate_field_model": "training",
        "predict_field_documents": "prediction",
        "predict_document_chunk": "bulk",
        "describe_document": "prediction",
        "erase_documents": "indexing",
        "delete_project": "indexing",
    }
    assert {route.queue for route in OPERATIONS.values()} == set(QueueName)


def test_an_evaluation_goes_before_a_training() -> None:
    training, evaluation = TrainFieldModel.actor_name, EvaluateFieldModel.actor_name
    assert OPERATIONS[evaluation].priority < OPERATIONS[training].priority


def test_a_small_prediction_goes_before_the_chunks_of_a_large_one() -> None:
    small, chunk = PredictFieldDocuments.actor_name, PredictDocumentChunk.actor_name
    assert OPERATIONS[small].priority < OPERATIONS[chunk].priority
    assert OPERATIONS[small].queue != OPERATIONS[chunk].queue


def test_a_small_indexing_goes_before_the_chunks_of_a_large_one() -> None:
    small, chunk = IndexDocuments.actor_name, IndexDocumentChunk.actor_name
    assert OPERATIONS[small].priority < OPERATIONS[chunk].priority


def test_the_routes_cannot_be_changed() -> None:
    operation = next(iter(OPERATIONS.values()))
    with pytest.raises(TypeError):
        OPERATIONS[IndexDocuments.actor_name] = operation  # type: ignore[index]  # mypy does, too


policies = st.builds(
    RetryPolicy,
    max_attempts=st.integers(1, 50),
    max_crashes=st.integers(1, 50),
    min_backoff_s=st.floats(0, 1000),
    max_backoff_s=st.floats(0, 1000),
)


@given(policy=policies, attempts=st.integers(1, 10_000))
def test_a_delay_is_between_half_and_all_of_the_capped_exponential(
    policy: RetryPolicy, attempts: int
) -> None:
    ceiling = min(policy.max_backoff_s, policy.min_backoff_s * 2.0 ** min(attempts - 1, 32))

    delay = retry_delay_s(policy, attempts)

    assert ceiling / 2 <= delay <= ceiling
    assert delay <= policy.max_backoff_s


@given(policy=policies)
def test_exactly_the_allowed_attempts_are_made(policy: RetryPolicy) -> None:
    failure = StorageUnavailable("x")
    made = 1
    while is_tried_again(policy, failure, attempts=made, crashes=0):
        made += 1

    assert made == policy.max_attempts
    assert not is_tried_again(policy, NotFound("x"), attempts=1, crashes=0)


@given(policy=policies)
def test_no_crash_more_than_allowed_is_made(policy: RetryPolicy) -> None:
    crashes = 1
    while is_tried_again(policy, SandboxCrashed("x"), attempts=crashes, crashes=crashes):
        crashes += 1

    assert crashes == min(policy.max_crashes, policy.max_attempts)


def test_delays_differ_so_that_tasks_do_not_come_back_together() -> None:
    assert len({retry_delay_s(RetryPolicy(), 3) for _ in range(20)}) > 10


def test_without_overrides_a_route_is_the_declared_one() -> None:
    for actor in OPERATIONS:
        assert configured(OPERATIONS[actor], Settings()) == OPERATIONS[actor]


def test_settings_override_time_limit_attempts_and_backoff() -> None:
    settings = Settings(
        limits=LimitSettings(time_limit_s=1.5),
        # Zero is a value, not a gap.
        retries=RetrySettings(max_attempts=1, max_crashes=2, min_backoff_s=0),
    )

    route = configured(OPERATIONS[TrainFieldModel.actor_name], settings)

    assert route.time_limit_s == 1.5
    assert (route.retry.max_attempts, route.retry.min_backoff_s) == (1, 0)
    assert route.retry.max_crashes == 2
    assert route.retry.max_backoff_s == OPERATIONS[TrainFieldModel.actor_name].retry.max_backoff_s
    assert retry_delay_s(route.retry, 5) == 0
