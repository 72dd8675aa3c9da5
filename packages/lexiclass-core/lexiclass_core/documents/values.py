"""What is said of a document."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any, Final

from lexiclass_core.documents.errors import InvalidDocument
from lexiclass_core.models import LONGEST_EXTERNAL_ID
from lexiclass_core.storable import is_storable

LONGEST_NAME: Final = 500
"""Characters of a name of a class: what fits into an index of PostgreSQL."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """The true class of a document in one field.

    Attributes:
        class_name: Made if the field has no such class.
        is_training_data: Whether to learn from it or to test with it; None leaves a label that is
            there for what it is for, and makes training data of a new one.
        is_training_data_else: For a new label where ``is_training_data`` is None.
    """

    class_name: str
    is_training_data: bool | None = None
    is_training_data_else: bool = True

    @property
    def is_training(self) -> bool:
        """What a new label is for."""
        given = self.is_training_data
        return self.is_training_data_else if given is None else given


@dataclass(frozen=True, slots=True, kw_only=True)
class NewDocument:
    """A document to add or to replace.

    Attributes:
        text: Its content; None where only its labels are told, of a document that is there.
        external_id: What its source calls it, 1 to 500 characters. Without one it is known by its
            text, see :class:`Naming`.
        labels: By the name of the field, which is made if there is none. What is not named stays.
        metadata: Kept with it, beside what was there under other names. ``source``, where the text
            was read, stays as long as the text does.
    """

    text: str | None
    external_id: str | None = None
    labels: Mapping[str, Label] = field(default_factory=dict)
    metadata: Mapping[str, Any] = field(default_factory=dict)


class Naming:
    """Gives documents ids where their source has none, and sees that none is given twice.

    A text without an id is named by its digest, and by how often it was there before: so the same
    file can be added again, also when lines were put between, and documents with one text stay as
    many as they are. A text that was changed is another document then.
    """

    def __init__(self) -> None:
        self._named: set[str] = set()
        self._unnamed: Counter[str] = Counter()

    def name(self, documents: Iterable[NewDocument]) -> list[NewDocument]:
        """The documents, each with an id.

        Raises:
            InvalidDocument: If one cannot be stored, or has the id of one before.
        """
        return [self._name(document) for document in documents]

    def _name(self, document: NewDocument) -> NewDocument:
        _require_storable(document)
        name = document.external_id
        if name is None:
            if document.text is None:
                raise InvalidDocument("a document has neither a text nor an id: give one of them")
            digest = sha256(document.text.encode()).hexdigest()[:32]
            self._unnamed[digest] += 1
            count = self._unnamed[digest]
            return replace(document, external_id=f"text:{digest}{f':{count}' if count > 1 else ''}")
        if name in self._named:
            raise InvalidDocument(f"the id {name!r} is given twice: give every document once")
        self._named.add(name)
        return document


def _require_storable(document: NewDocument) -> None:
    name = document.external_id
    if name is not None and not 1 <= len(name) <= LONGEST_EXTERNAL_ID:
        raise InvalidDocument(
            f"an id has {len(name)} characters: expected 1 to {LONGEST_EXTERNAL_ID}"
        )
    texts = (name or "", document.text or "", *document.labels)
    if not all(map(is_storable, texts)) or not is_storable(dict(document.metadata)):
        raise InvalidDocument(
            f"document {name!r} holds what PostgreSQL has no place for: a NUL character, a lone "
            "surrogate, NaN or an infinity"
        )
    for label in document.labels.values():
        require_name("class", label.class_name, may_be_blank=True)


def require_name(what: str, name: str, *, may_be_blank: bool = False) -> None:
    """Check that a name can be that of a class, a field or a project.

    Raises:
        InvalidDocument: If it cannot.
    """
    is_there = name if may_be_blank else name.strip()
    if not is_there or len(name) > LONGEST_NAME or not is_storable(name):
        raise InvalidDocument(
            f"a {what} is named by 1 to {LONGEST_NAME} characters, without NUL and lone "
            f"surrogates, not by {name[:50]!r}"
        )
