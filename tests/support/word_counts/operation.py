"""What everybody must know of the operation."""

from typing import ClassVar

from lexiclass_core.operations import Operation, declare
from lexiclass_core.queue_config import QueueName
from lexiclass_core.schemas import Request, Result


class CountWords(Request):
    """Count the words of a project's documents."""

    actor_name: ClassVar[str] = "count_words"

    shortest: int = 1

    @classmethod
    def result_type(cls) -> "type[WordCounts]":
        """See :meth:`Request.result_type`."""
        return WordCounts


class WordCounts(Result):
    """How many words there are of at least so many letters."""

    num_documents: int
    num_words: int


declare(
    Operation(
        request=CountWords,
        queue=QueueName.INDEXING,
        priority=5,
        time_limit_s=60,
        project_limit=1,
    )
)
