"""What a prediction rests on, as its row notes it."""

from typing import Any, NamedTuple

from lexiclass_core.db.values import object_of
from lexiclass_core.numbers import is_share


class RestsOn(NamedTuple):
    """How much of a document a model knew; None where it does not say.

    Attributes:
        known_words: Of the document, that the model was trained with.
        familiarity: How like the documents of training it is, in [0, 1].
        unfamiliar: Whether it is taken for unlike them.
    """

    known_words: int | None = None
    familiarity: float | None = None
    unfamiliar: bool | None = None

    @classmethod
    def of(cls, noted: Any) -> "RestsOn":
        """What the worker notes beside a prediction; other programs can have noted anything."""
        found = object_of(noted)
        known, familiarity = found.get("known_words"), found.get("familiarity")
        flag = found.get("unfamiliar")
        return cls(
            known_words=known if type(known) is int else None,
            familiarity=float(familiarity) if is_share(familiarity) else None,
            unfamiliar=flag if isinstance(flag, bool) else None,
        )
