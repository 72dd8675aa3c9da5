"""Options of a message, as any sender may have written them: what cannot be used is left out.

Some name a message that is sent when this one is done. Dramatiq sends it wherever it says; here it
is one that could have been sent by itself, or none.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from lexiclass_core.queue_config import RESULT_TTL_S
from lexiclass_core.queueing.entries import EntryRules, RefusedMessage

# Longer pipelines than anybody writes, and shorter ones than Python can follow.
_LONGEST_PIPELINE: Final = 20
_LONGEST_DELAY_MS: Final = 7 * 24 * 3600 * 1000

# Barriers of groups count down in Redis what PostgreSQL knows; no worker of ours looks at them.
_OF_GROUPS: Final = ("group_completion_uuid", "group_completion_callbacks")


def remove_unusable(options: dict[str, Any], rules: EntryRules) -> list[str]:
    """Remove what Dramatiq would take for its own, unchecked.

    Returns:
        What was removed that its sender meant something by, and why.
    """
    # Names of classes have no meaning here, and end the thread that compares with them.
    options.pop("throws", None)
    # Tasks have a limit of their own, after which they are not sent again.
    options.pop("time_limit", None)
    if type(options.get("retries", 0)) is not int:
        del options["retries"]
    if not _is_whole(options.get("result_ttl", 1), 1, RESULT_TTL_S * 1000):
        del options["result_ttl"]
    unusable = dict(_unusable(options, rules))
    for name in unusable:
        del options[name]
    return [f"{name} ({why})" for name, why in unusable.items()]


def _unusable(options: Mapping[str, Any], rules: EntryRules) -> Iterator[tuple[str, str]]:
    for name in _OF_GROUPS:
        if name in options:
            yield name, "workers do not count down groups"
    for name in ("on_success", "on_failure"):
        actor = options.get(name)
        if name in options and not (isinstance(actor, str) and rules.queue_of(actor)):
            yield name, "it names an actor that there is not"
    if options.get("pipe_target") is not None:
        try:
            _check_pipeline(options["pipe_target"], rules)
        except RefusedMessage as refusal:
            yield "pipe_target", str(refusal)


def _check_pipeline(target: Any, rules: EntryRules) -> None:
    length = 0
    while target is not None:
        length += 1
        if length > _LONGEST_PIPELINE:
            raise RefusedMessage(f"the pipeline has more than {_LONGEST_PIPELINE} messages")
        actor = target.get("actor_name") if isinstance(target, dict) else None
        queue = rules.queue_of(actor) if isinstance(actor, str) else None
        if queue is None:
            raise RefusedMessage("it names an actor that there is not")
        options = rules.check(target, queue=queue)["options"]
        delay = options.get("delay")
        if delay is not None and not _is_whole(delay, 0, _LONGEST_DELAY_MS):
            raise RefusedMessage("its delay is no number of milliseconds up to 7 days")
        target = options.get("pipe_target")


def _is_whole(value: Any, low: int, high: int) -> bool:
    return type(value) is int and low <= value <= high
