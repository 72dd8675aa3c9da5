"""Wrong passwords: how many, by whom, and what they keep others from."""

import asyncio
from dataclasses import replace

import httpx
import pytest
from argon2 import PasswordHasher
from hypothesis import given
from hypothesis import strategies as st

from lexiclass_console import Account, ConsoleSettings, create_console
from lexiclass_console.access.guessing import Allowances
from lexiclass_console.access.passwords import Passwords, TooManyAttempts
from lexiclass_console.access.users import COOKIE
from tests.support.console import OURS, browser, words


def cheap_account(password: str) -> Account:
    """An account whose password takes next to no time to be looked at."""
    hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    return Account.model_validate({"password_hash": hasher.hash(password)})


@pytest.mark.slow
async def test_guessing_passwords_comes_to_a_stop_for_whoever_guesses_alone(
    database_uri: str, broker_url: str
) -> None:
    account = cheap_account("x")
    settings = ConsoleSettings(accounts={"anna": account, "bob": account})
    app = create_console(database_uri=database_uri, broker_url=broker_url, settings=settings)

    async def answer(client: httpx.AsyncClient, name: str, password: str) -> int:
        data = {"name": name, "password": password}
        found = await client.post("/login", data=data, headers=OURS, follow_redirects=False)
        return found.status_code

    # All of them have the address of one ingress.
    async with browser(app) as attacker, browser(app) as at_home, browser(app) as stranger:
        assert await answer(at_home, "anna", "x") == 303
        del at_home.cookies[COOKIE]
        codes = [await answer(attacker, "anna", "y") for _ in range(22)]
        assert codes == [403] * 20 + [429] * 2
        assert await answer(stranger, "anna", "x") == 429
        assert await answer(stranger, "bob", "x") == 303
        assert await answer(at_home, "anna", "y") == 403
        assert await answer(at_home, "anna", "x") == 303

        elsewhere = httpx.ASGITransport(app=app, client=("10.0.0.9", 1))
        async with httpx.AsyncClient(transport=elsewhere, base_url="http://localhost") as other:
            assert await answer(other, "anna", "x") == 303


@pytest.mark.slow
async def test_guesses_are_counted_by_name_from_one_machine_from_all_and_in_a_known_browser() -> (
    None
):
    now = 0.0
    passwords = Passwords({"anna": cheap_account("x")}, clock=lambda: now)

    async def wrong(name: str, address: str, browser: str = "") -> bool:
        try:
            assert not await passwords.is_right(name, "y", address, browser)
        except TooManyAttempts:
            return False
        return True

    for number in range(20):
        assert await wrong("anna", f"2001:db8::{number:x}")
    assert not await wrong("anna", "2001:db8::ffff:1")
    # A name that nobody has is not told from one that somebody has.
    assert [await wrong("nobody", "10.0.0.1") for _ in range(21)] == [True] * 20 + [False]
    for other in ("2001:db8:0:1::1", "::ffff:10.0.0.1", "10.0.0.2", "", "testclient"):
        assert await wrong("anna", other)

    now = 35.0
    assert not await wrong("anna", "2001:db8::1")
    now = 37.0
    assert await wrong("anna", "2001:db8::1")
    assert not await wrong("anna", "2001:db8::1")

    told = [await wrong("anna", f"10.1.{number // 10}.1") for number in range(90)]
    assert 70 < sum(told) < 80
    assert not await wrong("anna", "10.2.0.1")
    known = passwords.remembered("anna")
    assert await passwords.is_right("anna", "x", "10.2.0.1", known)
    assert [await wrong("anna", "10.2.0.1", known) for _ in range(21)] == [True] * 20 + [False]
    for made_up in ("", ".", "a.b", f"{known}0", known.replace(".", ""), "é.é"):
        assert not await wrong("anna", "10.2.0.1", made_up)


@pytest.mark.slow
async def test_who_has_another_password_is_known_in_no_browser() -> None:
    known = Passwords({"anna": cheap_account("x")}).remembered("anna")
    changed = Passwords({"anna": cheap_account("z")})
    for _ in range(20):
        assert not await changed.is_right("anna", "x", "10.0.0.1", known)
    with pytest.raises(TooManyAttempts):
        await changed.is_right("anna", "z", "10.0.0.1", known)
    assert await changed.is_right("anna", "z", "10.0.0.2", known)


@pytest.mark.parametrize("kind", ["made-up", "real"])
async def test_whoever_guesses_at_many_names_at_once_keeps_nobody_elsewhere_out(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = cheap_account("x")
    assert account.password_hash is not None
    monkeypatch.setattr(
        "lexiclass_console.access.passwords._NOBODY", account.password_hash.get_secret_value()
    )
    names = [f"a{number}" for number in range(40)]
    accounts = dict.fromkeys(["anna", *(names if kind == "real" else [])], account)
    passwords = Passwords(accounts)
    known = passwords.remembered("anna")
    tried = await asyncio.gather(
        *(passwords.is_right(name, "y", f"2001:db8::{n:x}") for n, name in enumerate(names)),
        passwords.is_right("anna", "x", "2001:db8:0:1::1"),
        passwords.is_right("anna", "x", "2001:db8::1", known),
        return_exceptions=True,
    )
    # A name that nobody has is not told from one that somebody has.
    assert [type(each) for each in tried[:40]] == [bool] * 5 + [TooManyAttempts] * 35
    assert tried[40:] == [True, True]


async def test_no_more_wait_than_there_is_room_for() -> None:
    passwords = Passwords(dict.fromkeys([f"n{number}" for number in range(40)], cheap_account("x")))
    known = passwords.remembered("n39")
    tried = await asyncio.gather(
        *(passwords.is_right(f"n{number}", "y", f"10.0.0.{number // 5}") for number in range(40)),
        *(passwords.is_right("n39", "x", "10.0.0.1", known) for _ in range(6)),
        return_exceptions=True,
    )
    strangers = [bool] * 30 + [TooManyAttempts] * 10
    assert [type(each) for each in tried] == [*strangers, *[bool] * 5, TooManyAttempts]
    # Whoever waited has left room for the next.
    assert await passwords.is_right("n39", "x", "10.0.0.9")
    assert await passwords.is_right("n39", "x", "10.0.0.9", known)


async def test_guesses_from_one_machine_are_counted_over_all_names_too() -> None:
    now = 0.0
    names = [f"n{number}" for number in range(99)]
    accounts = dict.fromkeys([*names, "anna"], cheap_account("x"))
    passwords = Passwords(accounts, clock=lambda: now)
    known = passwords.remembered("anna")
    for number, name in enumerate([*names, "nobody"]):
        assert await passwords.is_right("anna", "x", "2001:db8::1")
        assert not await passwords.is_right(name, "y", f"2001:db8::{number:x}")
    for name in ("anna", "n1", "nobody", "somebody"):
        with pytest.raises(TooManyAttempts) as refused:
            await passwords.is_right(name, "x", "2001:db8::ffff")
        assert refused.value.wait_s == 1
    assert await passwords.is_right("anna", "x", "2001:db8:0:1::1")
    assert await passwords.is_right("anna", "x", "2001:db8::1", known)
    now = 1.0
    assert not await passwords.is_right("n1", "y", "2001:db8::1")
    with pytest.raises(TooManyAttempts):
        await passwords.is_right("n2", "y", "2001:db8::1")


async def test_who_tries_too_many_passwords_is_told_what_is_true_of_every_name(
    database_uri: str, broker_url: str
) -> None:
    names = [f"n{number}" for number in range(100)]
    accounts = dict.fromkeys([*names, "anna"], cheap_account("x"))
    settings = ConsoleSettings(accounts=accounts)
    app = create_console(database_uri=database_uri, broker_url=broker_url, settings=settings)
    passwords = Passwords(accounts, clock=lambda: 0.0)
    app.state.console = replace(app.state.console, passwords=passwords)
    for name in names:
        assert not await passwords.is_right(name, "y", "127.0.0.1")
    async with browser(app) as client:
        answers = [
            await client.post(
                "/login",
                data={"name": name, "password": "x", "next": "/tasks?state=failed"},
                headers=OURS,
            )
            for name in ("anna", "nobody")
        ]
    for answer in answers:
        assert answer.status_code == 429
        assert answer.headers["retry-after"] == "1"
        assert "Too many passwords were tried. Wait 1 s, or log in by a link" in words(answer)
        assert 'name="next" value="/tasks?state=failed"' in answer.text
    assert words(answers[0]) == words(answers[1])


@given(
    events=st.lists(
        st.tuples(st.sampled_from("abcdef"), st.floats(0, 30)),
        max_size=200,
    ),
    most=st.integers(1, 5),
    most_keys=st.integers(1, 3),
)
def test_in_no_time_are_there_more_wrong_passwords_than_are_allowed(
    events: list[tuple[str, float]], most: int, most_keys: int
) -> None:
    allowances = Allowances[str](
        most=most, regained_s=10, most_keys=most_keys, kept=frozenset("ab")
    )
    now = 0.0
    given: dict[str, list[float]] = {"a": [], "b": []}
    for key, after_s in events:
        now += after_s
        if allowances.wait_s(key, now) == 0:
            allowances.spend(key, now)
            given.setdefault(key, []).append(now)
            assert allowances.wait_s(key, now + 10) < 1e-6
    for key in "ab":
        moments = given[key]
        for first, began in enumerate(moments):
            for last in range(first, len(moments)):
                at_most = most + (moments[last] - began) / 10
                assert last - first + 1 <= at_most + 1e-6
