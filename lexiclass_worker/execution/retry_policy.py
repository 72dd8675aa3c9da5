"""Whether and when a failed attempt is tried again: pure decisions."""

import random
from typing import Final

from lexiclass_core.codes import ErrorCode
from lexiclass_core.operations import RetryPolicy
from lexiclass_core.schemas import TaskError
from lexiclass_worker.causes import NO_ROOM
from lexiclass_worker.errors import WorkerError

_LONGEST_FULL_DISK_S: Final = 3600.0


def is_full_disk(failure: WorkerError | TaskError) -> bool:
    """Whether somebody has to make room before the same can succeed."""
    is_storage = failure.code == ErrorCode.STORAGE_ERROR
    return is_storage and failure.details.get("errno") in NO_ROOM


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
