"""Requests that no page of the console makes: each is answered, and none with a failure of ours."""

import httpx
import pytest

from lexiclass_console.actions import ACTIONS
from lexiclass_core.db import SessionFactory
from lexiclass_core.statuses import Role
from tests.support.console import OURS, log_in

ODD = (
    "", "\0", "a\0b", "-1", "0", "007", "1e9", "9" * 18, "9" * 19, "9" * 5_000, "²", "٣", "\ud800",
    "' OR 1=1 --", "%", "_", "\\", "<script>", "{{7*7}}", "x" * 5_000, "1 ", "NaN", "true", "[]",
)  # fmt: skip
# One of each kind, where all take minutes.
SOME_ODD = ("", "\0", "-1", "9" * 19, "9" * 5_000, "\u00b2", "\ud800", "x" * 5_000)
PATHS = ("/tasks/{}", "/projects/{}", "/fields/{}", "/static/{}", "/actions/{}", "/{}")
PAGES = ("/", "/tasks", "/queues", "/dead-letters", "/projects", "/activity", "/login")
NAMES = (
    "status", "type", "queue", "error_code", "text", "project_id", "parent", "before", "limit",
    "done", "code", "next", "token", "older_than_h", "key", "keys", "page",
)  # fmt: skip


EVERY_VALUE = pytest.mark.parametrize(
    "values", [SOME_ODD, pytest.param(ODD, marks=pytest.mark.slow)], ids=["some", "all"]
)


def quoted(text: str) -> str:
    return "".join(f"%{byte:02X}" for byte in text.encode("utf-8", "surrogatepass"))


@EVERY_VALUE
async def test_no_address_is_answered_with_a_failure(
    viewer: httpx.AsyncClient, values: tuple[str, ...]
) -> None:
    for odd in values:
        for path in PATHS:
            found = await viewer.get(path.format(quoted(odd)))
            assert found.status_code < 500, (path, odd)
        for page in PAGES:
            query = "&".join(f"{name}={quoted(odd[:100])}" for name in NAMES)
            found = await viewer.get(f"{page}?{query}")
            assert found.status_code < 500, (page, odd)
            assert "<script>" not in found.text.replace('<script src="', "")


@pytest.mark.slow
async def test_odd_values_that_failed_once_are_answered_wherever_they_stand(
    viewer: httpx.AsyncClient,
) -> None:
    """By themselves, and as long as an address may be."""
    for odd in ("\0", "9" * 5_000):
        for name in NAMES:
            for page in ("/tasks", "/dead-letters", "/activity", "/projects"):
                found = await viewer.get(f"{page}?{name}={quoted(odd)}")
                assert found.status_code < 500, (page, name)


@pytest.mark.slow_variants(6)
@EVERY_VALUE
@pytest.mark.parametrize("action", sorted(ACTIONS))
async def test_no_form_is_answered_with_a_failure(
    stranger: httpx.AsyncClient, sessions: SessionFactory, action: str, values: tuple[str, ...]
) -> None:
    await log_in(stranger, sessions, Role.ADMIN)
    fields = ACTIONS[action].form.model_fields
    for odd in values:
        for name in (*fields, "next", "unknown"):
            form = dict.fromkeys(fields, "1") | {name: odd}
            body = "&".join(f"{key}={quoted(value)}" for key, value in form.items())
            found = await stranger.post(
                f"/actions/{action}",
                content=body,
                headers={**OURS, "Content-Type": "application/x-www-form-urlencoded"},
            )
            assert found.status_code < 500, (name, odd)
