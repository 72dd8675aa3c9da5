"""When a failed attempt is tried again: pure decisions."""

import errno
import random
from dataclasses import replace
from typing import Final

from lexiclass_core.codes import ErrorCode
from lexiclass_core.queue_config import ROUTES, ActorName, RetryPolicy, Route
from lexiclass_core.schemas import TaskError
from lexiclass_worker.config import Settings
from lexiclass_worker.errors import WorkerError

_NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
_PREDICTIONS: Final = (ActorName.PREDICT_FIELD_DOCUMENTS, ActorName.PREDICT_DOCUMENT_CHUNK)
_LONGEST_FULL_DISK_S: Final = 3600.0


def route_of(actor: ActorName, settings: Settings) -> Route:
    """The actor's route, with what the settings override."""
    route = ROUTES[actor]
    retries, limits = settings.retries, settings.limits
    policy = route.retry
    if retries.max_attempts is not None:
        policy = replace(policy, max_attempts=retries.max_attempts)
    if retries.max_crashes is not None:
        policy = replace(policy, max_crashes=retries.max_crashes)
    if retries.min_backoff_s is not None:
        policy = replace(
            policy,
            min_backoff_s=retries.min_backoff_s,
            full_disk_backoff_s=retries.min_backoff_s,
        )
    time_limit_s = route.time_limit_s if limits.time_limit_s is None else limits.time_limit_s
    return replace(route, retry=policy, time_limit_s=time_limit_s)


def project_limits(settings: Settings) -> dict[ActorName, int]:
    """How many tasks of an actor may run at a time on one project, where there is a limit."""
    predictions = settings.limits.predictions_per_project
    limits = {} if predictions is None else dict.fromkeys(_PREDICTIONS, predictions)
    return {
        **limits,
        ActorName.TRAIN_FIELD_MODEL: settings.limits.trainings_per_project,
        # An index has one writer; a second task would wait for it on a thread.
        ActorName.INDEX_DOCUMENTS: 1,
        # So with what erases; and two deletions of a project would cancel each other.
        ActorName.ERASE_DOCUMENTS: 1,
        ActorName.DELETE_PROJECT: 1,
    }


def is_full_disk(failure: WorkerError | TaskError) -> bool:
    """Whether somebody has to make room before the same can succeed."""
    is_storage = failure.code == ErrorCode.STORAGE_ERROR
    return is_storage and failure.details.get("errno") in _NO_ROOM


def retry_delay_s(policy: RetryPolicy, attempts: int, *, is_full_disk: bool = False) -> float:
    """Seconds to wait after a number of failed attempts: exponential, capped, with jitter.

    Half of the delay is fixed and half is random, so that tasks which failed together do not come
    back together ("equal jitter", M. Brooker, Exponential Backoff and Jitter, AWS, 2015).
    """
    # The exponent is capped too: 2**attempts of a task that was tried for days would overflow.
    first, longest = policy.min_backoff_s, policy.max_backoff_s
    if is_full_disk:
        first, longest = policy.full_disk_backoff_s, _LONGEST_FULL_DISK_S
    ceiling = min(longest, first * 2.0 ** min(attempts - 1, 32))
    return ceiling / 2 + random.uniform(0, ceiling / 2)  # noqa: S311 - no secret


def is_tried_again(
    policy: RetryPolicy, failure: WorkerError, *, attempts: int, crashes: int
) -> bool:
    """Whether a task that failed so, after so many attempts and crashes, may be tried again."""
    return failure.retryable and attempts < policy.max_attempts and crashes < policy.max_crashes
