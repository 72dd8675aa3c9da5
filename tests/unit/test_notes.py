"""Notes in a storage, which others can write to as well."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lexiclass_core.documents.notes import AdditionNote, parse_addition, parse_json

ODD = [
    b"[", b"null", b"[1]", b'"ab"', b"\xff", b"[" * 200_000, b'{"new": 1}', b'{"new": [[1]]}',
    b'{"new": [["a", "b"]]}', b'{"new": [[1, 1000000000000]]}', b'{"new": [[0, 1]]}',
    b'{"new": [[1, 1e3]]}', b'{"new": [[true, 2]]}', b'{"changed": {"a": 1}}',
    b'{"changed": ["1"]}', b'{"changed": [9223372036854775808]}', b'{"changed": [null]}',
    b'{"new": ' + b"[[1, 900000]]".replace(b"]]", b"], [1, 900000]]") + b"}",
    b'{"changed": [' + b"9" * 5000 + b"]}",
]  # fmt: skip


@pytest.mark.parametrize("content", ODD, ids=range(len(ODD)))
def test_what_is_no_note_is_refused_before_it_takes_anything(content: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - what pydantic, json and this raise
        parse_addition(content)


def test_a_note_names_documents() -> None:
    note = {"database": "k", "new": [[3, 5], [9, 9]], "changed": [7]}
    assert parse_addition(json.dumps(note).encode()) == AdditionNote("k", (3, 4, 5, 9), (7,))
    assert parse_addition(b"") == parse_addition(None) == parse_addition(b"{}") == AdditionNote()


@given(st.binary() | st.text().map(str.encode))
def test_json_of_others_is_parsed_or_refused(content: bytes) -> None:
    try:
        parse_json(content)
    except ValueError:
        return
