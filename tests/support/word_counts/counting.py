"""The child's side."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from lexiclass_worker.jobs.job import Access
from lexiclass_worker.jobs.supervision import ReportProgress


@dataclass(frozen=True, slots=True, kw_only=True)
class CountWordsJob:
    """Count the words of the texts in a folder."""

    function: ClassVar[str] = "tests.support.word_counts.counting:count_words"
    reuses_child: ClassVar[bool] = False

    folder: str
    shortest: int

    @property
    def access(self) -> Access:
        return Access(reads=(self.folder,))


LOADED_BY = os.getpid()


def count_words(job: CountWordsJob, report: ReportProgress) -> dict[str, Any]:
    files = sorted(Path(job.folder).glob("*.txt"))
    words = 0
    for done, file in enumerate(files, start=1):
        words += sum(len(word) >= job.shortest for word in file.read_text().split())
        report("count", done, len(files))
    return {"documents": len(files), "words": words, "was_loaded": os.getpid() != LOADED_BY}
