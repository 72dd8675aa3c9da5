"""What stands where a worker listens to a job."""

from __future__ import annotations

from lexiclass_worker.jobs.supervision import Publication


class Unwatched:
    """Nobody listens, everything may be published, and any index will do."""

    def __call__(self, stage: str, done: int, total: int, /) -> None:
        """Report nothing."""

    def ask_to_publish(self, publication: Publication | None = None, /) -> None:
        """Go ahead."""

    def ask_for_digests(self, name: str, /) -> None:
        """Any will do."""
