"""The text of an e-mail message or a news article."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from email import message_from_bytes
from email.errors import HeaderParseError
from email.header import decode_header
from email.message import Message
from typing import Final

from lexiclass.decoding import REPLACEMENT, UTF_8, Decoded, marked_encoding
from lexiclass.errors import DocumentUnreadable
from lexiclass.extraction.charsets import decode_declared
from lexiclass.extraction.content import ExtractedText, extracted
from lexiclass.extraction.formats import HTML

_TEXTS: Final = frozenset(
    {"text/plain", "text/html", "text/enriched", "text/richtext", "text/markdown"}
)
_MOST_PARTS: Final = 1_000
_KEPT_HEADERS: Final = ("from", "to", "date", "newsgroups", "message-id")


def extract_mail(data: bytes, code_page: str | None = None) -> ExtractedText:
    """Return the subject and the text that was written, as plain text where there is such.

    The subject is the first line: it is the author's, and often says the most. Attachments are
    named in the metadata; signatures and quotations stay.

    Raises:
        DocumentUnreadable: If it holds no text.
    """
    has_replaced = False
    if (marked := marked_encoding(data)) is not None:
        source = data.decode(marked, "replace")
        has_replaced = REPLACEMENT in source
        data = source.encode()
    message = message_from_bytes(data)
    texts: list[str] = []
    attachments: list[str] = []
    encodings: list[str] = []
    for part in _leaves(message):
        if _is_attachment(part):
            attachments.append(_header(part.get_filename() or part.get_content_type()))
            continue
        decoded = _decoded(part, code_page)
        texts.append(_shown(part, decoded.text))
        encodings.append(decoded.encoding)
        has_replaced |= decoded.num_replaced > 0
    if not any(text.strip() for text in texts):
        encrypted = message.get_content_subtype() in {"encrypted", "pkcs7-mime", "x-pkcs7-mime"}
        raise DocumentUnreadable("encrypted" if encrypted else "has no text")
    # Headers say less of their language than the text, and are in its encoding as a rule.
    encoding = next((each for each in encodings if each != UTF_8), code_page)
    headers = {
        name.lower(): _header(str(value), encoding)
        for name, value in reversed(list(message.raw_items()))
    }
    subject = headers.get("subject", "")
    kept = {name.replace("-", "_"): headers.get(name) for name in _KEPT_HEADERS}
    found = extracted(
        "\n\n".join(filter(None, (" ".join(subject.split()), *texts))),
        subject=subject,
        attachments=attachments,
        **kept,
    )
    return replace(found, has_replaced=has_replaced)


def _leaves(message: Message) -> Iterator[Message]:
    """The parts that are to be read, in order."""
    waiting = [message]
    for _ in range(_MOST_PARTS):
        if not waiting:
            return
        part = waiting.pop()
        # A message that is attached, by forwarding say, is one of its own.
        if part.get_content_maintype() == "message" and part is not message:
            yield part
            continue
        payload = part.get_payload()
        if not isinstance(payload, list):
            yield part
            continue
        inner = [found for found in payload if isinstance(found, Message)]
        chosen = _readable(inner) if part.get_content_subtype() == "alternative" else inner
        waiting.extend(reversed(chosen))
    raise DocumentUnreadable(f"has more than {_MOST_PARTS} parts")


def _readable(alternatives: list[Message]) -> list[Message]:
    """The one form of a text that is read: plain if there is something in it."""
    for part in alternatives:
        if part.get_content_type() == "text/plain" and _decoded(part).text.strip():
            return [part]
    # By RFC 2046, 5.1.4 the last is the richest, and the first what any reader understands.
    page = [part for part in alternatives if part.get_content_type() == "text/html"]
    nested = [part for part in alternatives if part.is_multipart()]
    return (page or nested or alternatives)[:1]


def _is_attachment(part: Message) -> bool:
    if part.get_content_disposition() == "attachment":
        return True
    return part.get_content_type() not in _TEXTS


def _decoded(part: Message, code_page: str | None = None) -> Decoded:
    payload = part.get_payload(decode=True)
    data = payload if isinstance(payload, bytes) else b""
    return decode_declared(data, _charset(part), code_page)


def _shown(part: Message, text: str) -> str:
    if part.get_content_type() != "text/html":
        return text
    if HTML.refusal:
        raise DocumentUnreadable(f"its text is HTML; run: {HTML.install_command}")
    from lexiclass.extraction.html import page_text  # noqa: PLC0415 - an optional library

    return page_text(text).text


def _charset(part: Message) -> str | None:
    charset = part.get_param("charset")
    # By RFC 2231 a parameter may carry its own character set and language.
    return charset[2] if isinstance(charset, tuple) else charset


def _header(raw: str, code_page: str | None = None) -> str:
    """A header as people read it; its bytes, where it has some, are behind surrogates."""
    unfolded = re.sub(r"\r?\n(?=[ \t])", "", raw)
    data = unfolded.encode("utf-8", "surrogateescape")
    if not data.isascii():
        return decode_declared(data, None, code_page).text
    try:
        pieces = decode_header(unfolded)
    except (HeaderParseError, ValueError):
        return unfolded
    return "".join(
        decode_declared(piece, charset).text if isinstance(piece, bytes) else piece
        for piece, charset in pieces
    )
