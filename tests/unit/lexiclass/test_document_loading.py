from __future__ import annotations

import errno
import hashlib
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lexiclass import Document, DocumentLoader, DocumentUnreadable, UnreadableDocument
from lexiclass.decoding import Decoded, decode

GERMAN = "Die Größe der Straße überrascht die Bevölkerung in München und Köln sehr. " * 5
RUSSIAN = "Сегодня утром в городе открылась большая выставка современного искусства. " * 5


@pytest.mark.parametrize(
    ("encoding", "expected"),
    [
        ("utf-8", "utf-8"),
        ("utf-8-sig", "utf-8-sig"),
        ("utf-16", "utf-16"),
        ("utf-32", "utf-32"),
    ],
)
def test_unicode_encodings_are_recognized(encoding: str, expected: str) -> None:
    assert decode(RUSSIAN.encode(encoding)) == Decoded(RUSSIAN, expected)


@pytest.mark.parametrize(
    ("text", "encoding", "expected"),
    [(GERMAN, "latin-1", "cp1252"), (RUSSIAN, "cp1251", "cp1251")],
    ids=["latin-1", "cp1251"],
)
def test_other_encodings_are_detected(text: str, encoding: str, expected: str) -> None:
    assert decode(text.encode(encoding)) == Decoded(text, expected)


@given(st.text(alphabet=st.characters(exclude_characters="\0\ufeff", exclude_categories=["Cs"])))
def test_utf8_text_comes_back_as_it_was(text: str) -> None:
    assert decode(text.encode()) == Decoded(text, "utf-8")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\x7fELF\x00\x00\x01", "binary"),
        (b"\xff\xfe\x00", "unknown encoding"),
        (bytes(range(1, 32)) * 8 + b"\xff\x81\x8d\x90" * 40, "unknown encoding"),
    ],
)
def test_what_is_not_text_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(DocumentUnreadable) as caught:
        decode(data, path="x")
    assert caught.value.reason == reason


def test_a_document_has_the_digest_of_its_bytes(tmp_path: Path) -> None:
    data = "grün".encode("utf-16")
    (tmp_path / "1.txt").write_bytes(data)
    document = DocumentLoader().load(1, tmp_path / "1.txt")
    digest = hashlib.blake2b(data, digest_size=16).hexdigest()
    assert document == Document(1, "grün", digest, "utf-16")


def test_unreadable_documents_do_not_end_the_stream(tmp_path: Path) -> None:
    (tmp_path / "good.txt").write_text("good")
    (tmp_path / "binary.txt").write_bytes(b"a\0b")
    (tmp_path / "large.txt").write_text("x" * 11)
    names = ["missing", "binary", "large", "good"]
    items = [(name, tmp_path / f"{name}.txt") for name in names] + [("dir", tmp_path)]
    found = list(DocumentLoader(max_bytes=10).stream(items))
    assert found[:3] == [
        UnreadableDocument("missing", "missing"),
        UnreadableDocument("binary", "binary"),
        UnreadableDocument("large", "too large"),
    ]
    assert isinstance(found[3], Document)
    assert found[3].text == "good"
    assert found[4] == UnreadableDocument("dir", "Is a directory")


def failing(number: int) -> Callable[[str], bytes]:
    def read(path: str) -> bytes:
        raise OSError(number, os.strerror(number))

    return read


TRANSIENT = [errno.EIO, errno.ESTALE, errno.EMFILE, errno.ENFILE, errno.ETIMEDOUT, errno.ENOMEM]
LASTING = [
    errno.ENOENT,
    errno.ENOTDIR,
    errno.EISDIR,
    errno.EACCES,
    errno.EPERM,
    errno.ELOOP,
    errno.ENAMETOOLONG,
]


@pytest.mark.parametrize("number", TRANSIENT)
def test_what_may_go_better_next_time_is_not_the_documents_fault(number: int) -> None:
    with pytest.raises(OSError, match=re.escape(os.strerror(number))) as caught:
        list(DocumentLoader(read=failing(number)).stream([(1, "1.txt")]))
    assert caught.value.errno == number


@pytest.mark.parametrize("number", LASTING)
def test_what_stays_as_it_is_is_the_documents_fault(number: int) -> None:
    (found,) = DocumentLoader(read=failing(number)).stream([(1, "1.txt")])
    assert isinstance(found, UnreadableDocument)


def test_a_refusal_without_a_number_is_the_documents_fault() -> None:
    def read(path: str) -> bytes:
        raise PermissionError(0, "a symbolic link")

    found = list(DocumentLoader(read=read).stream([(1, "1.txt")]))
    assert found == [UnreadableDocument(1, "a symbolic link")]


def test_bytes_may_come_from_anywhere() -> None:
    store = {"bucket/1.txt": b"one"}

    def read(path: str) -> bytes:
        if path not in store:
            raise FileNotFoundError(path)
        return store[path]

    found = list(DocumentLoader(read=read).stream([(1, "bucket/1.txt"), (2, "bucket/2.txt")]))
    assert isinstance(found[0], Document)
    assert found[0].text == "one"
    assert found[1] == UnreadableDocument(2, "missing")
