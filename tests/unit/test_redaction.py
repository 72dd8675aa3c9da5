"""No secret is shown, however it is spelt."""

import html
import itertools
import json
import string
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lexiclass_worker.config import Settings
from lexiclass_worker.redaction import Redactor
from lexiclass_worker.telemetry.log_lines import _LONGEST_TEXT
from tests.support.secrets import ODD_PASSWORDS, traces
from tests.support.variants import examples

# What writes a text inside another one, without the quotes around it.
INNER: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "percent": lambda text: quote(text, safe=""),
    "percent in a path": quote,
    "percent in a user's name": lambda text: quote(text, safe="!$&'()*+,;=:"),
    "JSON": lambda text: json.dumps(text)[1:-1],
    "JSON in Unicode": lambda text: json.dumps(text, ensure_ascii=False)[1:-1],
    "repr": lambda text: repr(text)[1:-1],
    "repr beside both quotes": lambda text: repr(f"\"'{text}")[4:-1],
    "ascii": lambda text: ascii(text)[1:-1],
    "repr of bytes": lambda text: repr(text.encode())[2:-1],
}
OUTER: dict[str, Callable[[str], str]] = {
    **INNER,
    "form": quote_plus,
    "HTML": html.escape,
    "HTML by numbers": lambda text: "".join(
        f"&#{ord(each)};" if each in "<>&\"'" else each for each in text
    ),
    "SQL": lambda text: text.replace("'", "''"),
    "CSV": lambda text: text.replace('"', '""'),
}
ENCODINGS: dict[str, Callable[[bytes], str]] = {
    "base64": lambda data: b64encode(data).decode(),
    "URL-safe base64": lambda data: urlsafe_b64encode(data).decode(),
    "hexadecimal": bytes.hex,
}
PASSWORDS = st.one_of(
    st.text(string.printable, min_size=4),
    st.text(st.characters(codec="utf-8"), min_size=4),
    st.text("\\'\"/%&+ \nux0", min_size=4, max_size=12),
)


@settings(max_examples=examples(400))
@given(st.sampled_from(sorted(INNER)), st.sampled_from(sorted(OUTER)), PASSWORDS)
def test_a_secret_is_found_whatever_writes_it_inside_what(
    inner: str, outer: str, password: str
) -> None:
    spelt = OUTER[outer](INNER[inner](password))

    assert Redactor({password})(f"<{spelt}>") == "<***>"


@pytest.mark.parametrize("outer", OUTER)
@pytest.mark.parametrize("password", ODD_PASSWORDS)
def test_no_piece_of_an_odd_password_is_left(password: str, outer: str) -> None:
    redact = Redactor({password})
    for middle, inner in itertools.product(("repr", "JSON", "percent"), INNER):
        text = INNER[middle](f"before ({INNER[inner](password)}) after")
        shown = redact(OUTER[outer](text))

        assert traces(shown, password) == []
        assert "before" in shown


@pytest.mark.parametrize("encoding", ENCODINGS)
@given(password=st.text(st.characters(codec="utf-8"), min_size=8), user=st.text("abc", max_size=4))
def test_a_secret_is_found_wherever_it_begins_in_what_is_encoded(
    encoding: str, password: str, user: str
) -> None:
    encode = ENCODINGS[encoding]
    whole = encode(f"{user}:{password}@host".encode())

    shown = Redactor({password})(f"Basic {whole}")

    # At its ends, six bits may be shared with a neighbour.
    assert "***" in shown
    assert encode(password.encode()).rstrip("=")[2:-2] not in shown


@pytest.mark.slow
def test_a_text_is_masked_before_it_is_cut() -> None:
    from lexiclass_worker.telemetry.log_lines import _plain

    password = ODD_PASSWORDS[0]
    half = _LONGEST_TEXT // 2
    for begin in range(half - len(password), half):
        text = f"{'x' * begin}{password}{'y' * _LONGEST_TEXT}"
        assert traces(str(_plain(text, Redactor({password}))), password) == []


@given(text=st.text())
def test_a_text_without_a_secret_stays_as_it_is(text: str) -> None:
    redact = Redactor({"hunter2-of-nobody", "0ther 'secret'"})

    assert redact(text) == text or "://" in text or any(sign in text for sign in ":=")


def test_values_of_json_have_no_secret_in_names_and_texts() -> None:
    redact = Redactor({"hunter2!"})

    found = redact.plain({"a hunter2! b": ["hunter2%21", 7, None, {"x": ("hunter2!",)}]})

    assert found == {"a *** b": ["***", 7, None, {"x": ["***"]}]}


@pytest.mark.slow
@pytest.mark.parametrize("odd", ["\\", "'", "%", "&amp;", "\\'", "\n"])
def test_what_escapes_costs_linear_time(odd: str) -> None:
    """A pattern that tried every division of this text would not end."""
    redact = Redactor({f"{odd * 40}x{odd * 40}"})
    text = odd * 100_000

    assert redact(text) == text


def test_settings_know_their_secrets() -> None:
    given = Settings(
        database_uri=f"postgresql://app:{quote(ODD_PASSWORDS[1], safe='')}@db/lexiclass",
        dramatiq={"broker_url": f"redis://:{quote(ODD_PASSWORDS[0], safe='')}@redis/0"},
    )

    shown = given.redact(f"{ODD_PASSWORDS[0]!r} {json.dumps(ODD_PASSWORDS[1])}")

    assert shown == "'***' \"***\""
