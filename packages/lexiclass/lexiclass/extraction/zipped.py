"""XML inside a zip file, the form of office documents; bounded, and without entities."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Callable
from typing import Final
from xml.parsers import expat

from lexiclass.errors import DocumentUnreadable

#: Largest part that is unpacked, in bytes.
MAX_PART_BYTES: Final = 256 * 2**20


class Parts:
    """The members of an office document.

    Raises:
        DocumentUnreadable: If it is no zip file.
    """

    def __init__(self, data: bytes) -> None:
        try:
            self._archive = zipfile.ZipFile(io.BytesIO(data))
        except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
            raise DocumentUnreadable("damaged") from error

    @property
    def names(self) -> list[str]:
        """What the members are called."""
        return self._archive.namelist()

    def read(self, name: str) -> bytes | None:
        """Return a member, or None where there is none.

        Raises:
            DocumentUnreadable: If it is damaged, encrypted, or too large when unpacked.
        """
        try:
            with self._archive.open(name) as member:
                data = member.read(MAX_PART_BYTES + 1)
        except KeyError:
            return None
        except RuntimeError as error:
            raise DocumentUnreadable("protected by a password; save it without") from error
        except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, NotImplementedError) as error:
            raise DocumentUnreadable("damaged") from error
        if len(data) > MAX_PART_BYTES:
            raise DocumentUnreadable("too large when unpacked")
        return data


class XmlEvents:
    """Elements of an XML document in order; names come without their namespace.

    A document type is refused: office formats have none, and with it go entities, those that grow
    and those that name files or addresses.
    """

    def __init__(
        self,
        start: Callable[[str, dict[str, str]], None],
        end: Callable[[str], object],
        text: Callable[[str], None],
    ) -> None:
        self._parser = expat.ParserCreate(namespace_separator="}")
        self._parser.buffer_text = True
        self._parser.StartDoctypeDeclHandler = _refuse_document_type
        self._parser.StartElementHandler = lambda name, attributes: start(
            _local(name), {_local(key): value for key, value in attributes.items()}
        )
        self._parser.EndElementHandler = lambda name: end(_local(name))
        self._parser.CharacterDataHandler = text

    def parse(self, data: bytes) -> None:
        """Read a document.

        Raises:
            DocumentUnreadable: If it is no well-formed XML or has a document type.
        """
        try:
            self._parser.Parse(data, True)  # noqa: FBT003 - the standard library's
        except expat.ExpatError as error:
            raise DocumentUnreadable("damaged") from error


def _local(name: str) -> str:
    return name.rpartition("}")[2]


def _refuse_document_type(*_: object) -> None:
    raise DocumentUnreadable("declares entities, which office documents don't")
