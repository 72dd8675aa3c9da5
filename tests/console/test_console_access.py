"""Who is let in, and what is refused before anybody looks who it is."""

import asyncio

import httpx
import pytest
from sqlalchemy import text
from starlette.applications import Starlette
from starlette.routing import Mount

from lexiclass_console import ConsoleSettings, ProxyLogin, create_console
from lexiclass_console.access.passwords import hash_password
from lexiclass_console.access.users import COOKIE
from lexiclass_console.actions import ACTIONS
from lexiclass_core.access.tokens import User, issue_login
from lexiclass_core.db import SessionFactory
from lexiclass_core.statuses import Role
from tests.support.console import OURS, browser, log_in, words

PAGES = (
    "/", "/tasks", "/tasks/1", "/queues", "/activity", "/dead-letters", "/projects", "/projects/1",
    "/fields/1",
)  # fmt: skip


BEHIND_A_PROXY = ConsoleSettings.model_validate(
    {
        "proxy": {"header": "X-User", "networks": ["127.0.0.0/8"], "role": "operator"},
        "accounts": {"Jürgen": {"role": "viewer"}, "Łukasz": {"role": "admin"}},
    }
)


@pytest.mark.parametrize("path", PAGES)
async def test_a_stranger_is_asked_who_they_are_whatever_they_ask_for(
    stranger: httpx.AsyncClient, path: str
) -> None:
    for accept in ("text/html", "text/event-stream"):
        answer = await stranger.get(path, headers={"Accept": accept}, follow_redirects=False)
        assert answer.status_code == 303
        assert answer.headers["location"].startswith("/login?next=")


@pytest.mark.parametrize("action", sorted(ACTIONS))
async def test_a_stranger_and_a_viewer_can_do_nothing(
    stranger: httpx.AsyncClient, sessions: SessionFactory, action: str
) -> None:
    answer = await stranger.post(
        f"/actions/{action}", data={}, headers=OURS, follow_redirects=False
    )
    assert answer.status_code in {303, 415}
    answer = await stranger.post(
        f"/actions/{action}", data={"x": "1"}, headers=OURS, follow_redirects=False
    )
    assert answer.headers["location"].startswith("/login")

    await log_in(stranger, sessions, Role.VIEWER)
    answer = await stranger.post(f"/actions/{action}", data={"x": "1"}, headers=OURS)
    assert answer.status_code == 403
    assert "needs the role" in words(answer)


async def test_a_login_link_lets_one_in_once(
    stranger: httpx.AsyncClient, sessions: SessionFactory
) -> None:
    async with sessions.begin() as session:
        token = await issue_login(session, User("anna", Role.ADMIN))

    # Whoever looks at the link first has not used it.
    assert "Log in with this link" in words(await stranger.get("/login", params={"token": token}))
    answers = await asyncio.gather(
        *(stranger.post("/login", data={"token": token}, headers=OURS) for _ in range(4))
    )

    assert sorted(answer.status_code for answer in answers) == [200, 403, 403, 403]
    assert "Overview" in words(await stranger.get("/"))


async def test_a_link_and_a_session_end(
    stranger: httpx.AsyncClient, sessions: SessionFactory
) -> None:
    async with sessions.begin() as session:
        token = await issue_login(session, User("anna", Role.ADMIN), lasts_s=-1)
    answer = await stranger.post("/login", data={"token": token}, headers=OURS)
    assert answer.status_code == 403

    await log_in(stranger, sessions, Role.VIEWER)
    assert (await stranger.get("/")).url.path == "/"
    async with sessions.begin() as session:
        await session.execute(text("UPDATE access_token SET expires_at = now()"))
    assert (await stranger.get("/")).url.path == "/login"


async def test_who_logs_out_is_a_stranger_also_with_the_old_cookie(
    operator: httpx.AsyncClient,
) -> None:
    old = operator.cookies[COOKIE]
    await operator.post("/logout", data={"x": ""}, headers=OURS)
    operator.cookies.set(COOKIE, old)
    assert (await operator.get("/")).url.path == "/login"


async def test_a_password_lets_in_and_a_wrong_one_does_not(
    database_uri: str, broker_url: str
) -> None:
    stored = hash_password("correct horse")
    settings = ConsoleSettings.model_validate(
        {"accounts": {"anna": {"role": "operator", "password_hash": stored}, "bob": {}}}
    )
    app = create_console(database_uri=database_uri, broker_url=broker_url, settings=settings)
    async with browser(app) as client:
        for name, password in (
            ("anna", "wrong"), ("bob", ""), ("bob", "correct horse"), ("nobody", "correct horse"),
            ("anna", "x" * 10_000), ("anna\0", "correct horse"),
        ):  # fmt: skip
            answer = await client.post(
                "/login", data={"name": name, "password": password}, headers=OURS
            )
            assert answer.status_code == 403
            assert "do not belong together" in words(answer)
        # A slip of the finger costs the password alone.
        wrong = {"name": "anna", "password": "wrong", "next": "/tasks?status=failed"}
        answer = await client.post("/login", data=wrong, headers=OURS)
        assert 'name="next" value="/tasks?status=failed"' in answer.text
        assert 'autocomplete="username" value="anna"' in answer.text
        assert "wrong" not in answer.text
        answer = await client.post(
            "/login",
            data={"name": "anna", "password": "correct horse", "next": "/queues"},
            headers=OURS,
        )
        assert answer.url.path == "/queues"
        assert "anna" in words(answer)
        cookie = answer.history[0].headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=lax" in cookie
    assert stored not in repr(settings)


@pytest.mark.parametrize(
    ("origin", "is_secure"),
    [("https://localhost", True), ("http://localhost", False), (None, False), ("https", False)],
)
async def test_a_session_behind_a_proxy_with_tls_is_sent_by_tls_alone(
    stranger: httpx.AsyncClient, sessions: SessionFactory, origin: str | None, is_secure: bool
) -> None:
    async with sessions.begin() as session:
        token = await issue_login(session, User("anna", Role.ADMIN))
    headers = OURS if origin is None else {**OURS, "Origin": origin}
    answer = await stranger.post(
        "/login", data={"token": token}, headers=headers, follow_redirects=False
    )
    assert ("; Secure" in answer.headers["set-cookie"]) is is_secure


@pytest.mark.slow
async def test_a_session_that_a_password_opened_may_what_its_account_may_now(
    database_uri: str, broker_url: str, sessions: SessionFactory
) -> None:
    stored = hash_password("x")

    def console_for(accounts: dict[str, dict[str, str]]) -> Starlette:
        settings = ConsoleSettings.model_validate({"accounts": accounts})
        return create_console(database_uri=database_uri, broker_url=broker_url, settings=settings)

    async def act(accounts: dict[str, dict[str, str]], cookie: str) -> int:
        async with browser(console_for(accounts)) as client:
            client.cookies.set(COOKIE, cookie)
            answer = await client.post(
                "/actions/queue.pause",
                data={"queue": "training"},
                headers=OURS,
                follow_redirects=False,
            )
        led_to_login = "login" in answer.headers.get("location", "")
        return 401 if led_to_login else answer.status_code

    admin = {"anna": {"role": "admin", "password_hash": stored}}
    async with browser(console_for(admin)) as client:
        await client.post("/login", data={"name": "anna", "password": "x"}, headers=OURS)
        cookie = client.cookies[COOKIE]

        # What a link has opened ends by itself.
        client.cookies.clear()
        await log_in(client, sessions, Role.OPERATOR)
        by_link = client.cookies[COOKIE]

    assert await act(admin, cookie) == 303
    assert await act({"anna": {"role": "viewer", "password_hash": stored}}, cookie) == 403
    assert (
        await act({"anna": {"role": "admin", "password_hash": hash_password("x")}}, cookie) == 401
    )
    assert await act({"anna": {"role": "admin"}}, cookie) == 401
    assert await act({"bob": {"role": "admin", "password_hash": stored}}, cookie) == 401
    assert await act(admin, cookie.partition(".")[2]) == 401
    assert await act({}, by_link) == 303


@pytest.mark.parametrize(
    ("network", "headers", "path"),
    [
        ("127.0.0.0/8", [("X-User", "zoe")], "/"),
        ("10.0.0.0/8", [("X-User", "zoe")], "/login"),
        ("127.0.0.0/8", [], "/login"),
        ("127.0.0.0/8", [("X-User", "zoe"), ("X-User", "admin")], "/login"),
        ("127.0.0.0/8", [("X-User", " ")], "/login"),
    ],
)
async def test_a_proxy_is_believed_from_its_networks_alone(
    database_uri: str, broker_url: str, network: str, headers: list[tuple[str, str]], path: str
) -> None:
    proxy = ProxyLogin.model_validate({"header": "X-User", "networks": [network]})
    settings = ConsoleSettings(proxy=proxy)
    app = create_console(database_uri=database_uri, broker_url=broker_url, settings=settings)
    async with browser(app) as client:
        answer = await client.get("/", headers=headers)
    assert answer.url.path == path


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Jürgen", "Jürgen viewer"),
        ("Łukasz", "Łukasz admin"),
        ("anna", "anna operator"),
        ("Владимир", "Владимир operator"),
    ],
)
async def test_a_proxy_names_people_in_any_script(
    database_uri: str, broker_url: str, name: str, shown: str
) -> None:
    app = create_console(database_uri=database_uri, broker_url=broker_url, settings=BEHIND_A_PROXY)
    async with browser(app) as client:
        answer = await client.get("/", headers=[(b"X-User", name.encode())])
    assert answer.url.path == "/"
    assert shown in words(answer)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("Jürgen".encode("latin-1"), "is not UTF-8"),
        (b"anna\xc2\x81", "characters that no name has"),
        (b"a" * 201, "longer than 200 characters"),
    ],
)
async def test_what_is_no_name_of_a_proxy_is_refused_with_the_reason(
    database_uri: str, broker_url: str, name: bytes, said: str
) -> None:
    app = create_console(database_uri=database_uri, broker_url=broker_url, settings=BEHIND_A_PROXY)
    async with browser(app) as client:
        answer = await client.get("/", headers=[(b"X-User", name)])
        assert answer.status_code == 403
        assert said in words(answer)
        headers = [(b"X-User", name), (b"Sec-Fetch-Site", b"same-origin")]
        answer = await client.post("/actions/queue.pause", data={"x": ""}, headers=headers)
        assert answer.status_code == 403


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "", "localhost:80:80"])
async def test_other_hosts_are_refused(stranger: httpx.AsyncClient, host: str) -> None:
    answer = await stranger.get("/login", headers={"Host": host})
    assert answer.status_code == 403
    assert "CONSOLE__ALLOWED_HOSTS" in answer.text


@pytest.mark.parametrize(
    ("headers", "is_ours"),
    [
        ({"Sec-Fetch-Site": "same-origin"}, True),
        ({"Sec-Fetch-Site": "same-site"}, False),
        ({"Sec-Fetch-Site": "cross-site"}, False),
        ({"Sec-Fetch-Site": "none"}, False),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost"}, False),
        ({"Origin": "http://localhost"}, True),
        ({"Origin": "http://localhost:81"}, False),
        ({"Origin": "http://evil.example"}, False),
        ({"Origin": "null"}, False),
        ({"Origin": "http://["}, False),
        ({"Origin": "https://localhost"}, True),
        ({"Origin": "http://evil.example\\@localhost"}, False),
        ({}, False),
    ],
)
async def test_what_changes_something_comes_from_a_page_of_ours(
    operator: httpx.AsyncClient, headers: dict[str, str], is_ours: bool
) -> None:
    answer = await operator.post(
        "/actions/queue.pause", data={"queue": "training"}, headers=headers
    )
    assert answer.status_code == (200 if is_ours else 403)
    assert ("paused" in words(await operator.get("/queues")).partition("Starts")[2]) is is_ours


@pytest.mark.parametrize("path", [*PAGES, "/login", "/nothing", "/static/console.css"])
async def test_every_answer_carries_the_policy(viewer: httpx.AsyncClient, path: str) -> None:
    headers = (await viewer.get(path)).headers
    assert headers["content-security-policy"].startswith("default-src 'none'")
    assert headers["x-content-type-options"] == "nosniff"
    assert "access-control-allow-origin" not in headers


@pytest.mark.parametrize(
    "target",
    [
        "//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)",
        "/tasks\r\nSet-Cookie: a=b", "\t//evil.example", "///evil.example", "",
    ],
)  # fmt: skip
async def test_nobody_is_led_away(operator: httpx.AsyncClient, target: str) -> None:
    answer = await operator.post(
        "/actions/queue.pause",
        data={"queue": "training", "next": target},
        headers=OURS,
        follow_redirects=False,
    )
    assert answer.headers["location"].startswith("/?done=")


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"x" * (2 << 20), "application/x-www-form-urlencoded", 413),
        (b"&a=1" * 5_000, "application/x-www-form-urlencoded", 400),
        (b"a=%ff", "application/x-www-form-urlencoded", 400),
        (b"{}", "application/json", 415),
    ],
)
async def test_forms_are_bounded(
    operator: httpx.AsyncClient, body: bytes, kind: str, status: int
) -> None:
    answer = await operator.post(
        "/actions/queue.pause", content=body, headers={**OURS, "Content-Type": kind}
    )
    assert answer.status_code == status


async def test_it_works_under_any_path(console: Starlette, sessions: SessionFactory) -> None:
    outer = Starlette(routes=[Mount("/ops/lexiclass", app=console)])
    transport = httpx.ASGITransport(app=outer)
    async with (
        console.router.lifespan_context(console),
        httpx.AsyncClient(
            transport=transport, base_url="http://localhost", follow_redirects=True
        ) as client,
    ):
        assert (await client.get("/ops/lexiclass/")).url.path == "/ops/lexiclass/login"
        await log_in(client, sessions, Role.OPERATOR)
        for path in PAGES:
            text_ = (await client.get(f"/ops/lexiclass{path}")).text
            assert 'href="/ops/lexiclass/tasks"' in text_ or "There is no such" in text_
            assert 'href="/tasks' not in text_
        answer = await client.post(
            "/ops/lexiclass/actions/queue.pause",
            data={"queue": "training", "next": "/ops/lexiclass/queues"},
            headers=OURS,
        )
        assert answer.url.path == "/ops/lexiclass/queues"
        assert (await client.get("/ops/lexiclass/static/console.css")).status_code == 200
