"""What a child asks of its worker in the middle of a job."""

import json
from collections.abc import Sequence
from typing import Any, Final, Protocol

from lexiclass_worker.artifacts.stored_project import StoredProject
from lexiclass_worker.jobs.supervision import Publication, is_digest

# Names of indexes are made of those of plugins and digests.
_LONGEST_NAME: Final = 255


class Supervisor(Protocol):
    """Who answers; what it raises ends the child."""

    def stored_project(self) -> StoredProject | None:
        """What the child may have of an object store, for one job; None for nothing."""
        ...

    async def may_publish(self, publication: Publication | None) -> None:
        """Raise if the child may change nothing that others see, and keep what it publishes."""
        ...

    async def digests_of(self, name: str) -> Sequence[str] | None:
        """The manifests that an index may have; None if nothing is known, and any will do."""
        ...


class Unsupervised:
    """A supervisor for what nobody else can do or read meanwhile."""

    def stored_project(self) -> StoredProject | None:
        """See :class:`Supervisor`."""
        return None

    async def may_publish(self, _publication: Publication | None) -> None:
        """See :class:`Supervisor`."""

    async def digests_of(self, _name: str) -> Sequence[str] | None:
        """See :class:`Supervisor`."""
        return None


async def answer(question: Any, supervisor: Supervisor) -> bytes:
    """Have a question answered, as JSON; it is as the child has sent it, and not to be believed.

    Raises:
        ValueError: If it is no question.
        Exception: What the supervisor raises.
    """
    match question:
        case {"publish": None}:
            await supervisor.may_publish(None)
            found = None
        case {"publish": {"name": name, "current": current, "next": digest}}:
            if current is not None:
                _require_digest(current)
            _require_digest(digest)
            await supervisor.may_publish(
                Publication(name=_name(name), current=current, next=digest)
            )
            found = None
        case {"digests": name}:
            found = await supervisor.digests_of(_name(name))
        case _:
            raise ValueError("a child of the sandbox asks what is no question")
    return json.dumps(found).encode()


def _name(found: Any) -> str:
    if not isinstance(found, str) or not 0 < len(found) <= _LONGEST_NAME or "\0" in found:
        raise ValueError("a child of the sandbox names no index")
    return found


def _require_digest(found: Any) -> None:
    if not is_digest(found):
        raise ValueError("a child of the sandbox gives no digest of an index")
