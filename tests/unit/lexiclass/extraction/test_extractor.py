"""The process that documents are read in: bounded, replaced when it dies, and told nothing."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from lexiclass import DocumentUnreadable
from lexiclass.containment import protection
from lexiclass.extraction import DocumentFormat, ExtractionLimits, Extractor
from lexiclass.extraction.formats import PDF
from tests.support.documents import pdf

LIMITS = ExtractionLimits(seconds=0.5, memory_bytes=2**28, text_bytes=2**16)


@pytest.fixture(scope="module")
def extractor() -> Iterator[Extractor]:
    with Extractor(LIMITS) as extractor:
        yield extractor


def behaving(name: str) -> DocumentFormat:
    return DocumentFormat(
        name="Test", extractor=f"tests.support.parsers:{name}", way_out="do it otherwise"
    )


def refusal(extractor: Extractor, name: str, data: bytes = b"") -> str:
    with pytest.raises(DocumentUnreadable) as caught:
        extractor.extract(data, behaving(name))
    return caught.value.reason


@pytest.mark.slow_variants
@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("spin", "Test: took more than 0.5 s of processor time; do it otherwise"),
        ("allocate", "Test: needs more than 256 MiB; do it otherwise"),
        ("answer_with_too_much", "Test: needs more than 256 MiB; do it otherwise"),
        ("die", "Test: its parser died (SIGSEGV); do it otherwise"),
        ("recurse", "Test: nested too deeply"),
        ("write_much", "Test: its text is too large"),
    ],
)
def test_what_a_bad_document_does_costs_that_document_only(
    extractor: Extractor, name: str, reason: str
) -> None:
    assert refusal(extractor, name) == reason

    assert extractor.extract(b"the next one", behaving("read")).text == "the next one"


def test_a_parser_that_waits_for_ever_is_ended_by_the_clock() -> None:
    with Extractor(ExtractionLimits(clock_seconds=0.5)) as extractor:
        assert refusal(extractor, "sleep") == "Test: took longer than 0.5 s; do it otherwise"


def test_a_parser_reaches_no_network_starts_nothing_and_writes_no_file(
    extractor: Extractor, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1]).encode()
        assert refusal(extractor, "connect", port) == "Test: damaged (PermissionError)"
    assert refusal(extractor, "start") == "Test: damaged (PermissionError)"

    # By Landlock, or where that is not there by a limit.
    assert refusal(extractor, "write_file", bytes(tmp_path / "new")) in {
        "Test: damaged (PermissionError)",
        "Test: damaged (OSError)",
    }
    assert not any(Path(file).stat().st_size for file in tmp_path.iterdir())


@pytest.mark.skipif(not protection().is_enough, reason="this kernel contains nothing")
def test_native_code_of_a_parser_opens_no_file_but_those_of_python(
    extractor: Extractor, tmp_path: Path
) -> None:
    document = tmp_path / "other"
    document.write_text("of another")

    opened = extractor.extract(bytes(document), behaving("try_past_python")).text

    assert opened == "library"
    assert [file.name for file in tmp_path.iterdir()] == ["other"]


def test_a_parser_sees_no_environment_and_may_print(
    extractor: Extractor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URI", "postgresql://user:secret@host/db")

    assert "DATABASE_URI" not in extractor.extract(b"", behaving("environment")).text
    assert extractor.extract(b"", behaving("print_much")).text == "printed"


def test_a_process_that_has_grown_is_replaced_after_its_answer(extractor: Extractor) -> None:
    first = extractor.extract(b"", behaving("grow")).text
    second = extractor.extract(b"", behaving("grow")).text

    assert first != second


def test_its_process_ends_with_the_extractor() -> None:
    with Extractor() as extractor:
        pid = int(extractor.extract(b"", behaving("grow")).text)

    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_format_whose_library_is_missing_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("lexiclass.extraction.formats.is_installed", lambda _: False)

    with Extractor() as extractor, pytest.raises(DocumentUnreadable) as caught:
        extractor.extract(pdf("one"), PDF)

    assert caught.value.reason == (
        "PDF: what reads it is not installed; run: pip install 'pypdf[crypto]>=6.0'"
    )
