"""Jobs that compare documents of an index."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from lexiclass_worker.jobs.inputs import ProjectIndexes
from lexiclass_worker.jobs.job import Access


@dataclass(frozen=True, slots=True, kw_only=True)
class SimilarJob:
    """Find the documents of a project's index that are most like one of them."""

    function: ClassVar[str] = "lexiclass_worker.ml.similarity:find_similar"
    reuses_child: ClassVar[bool] = True

    indexes: ProjectIndexes
    pretrained_directory: Path
    document_id: int
    limit: int
    tokenizer: str
    locale: str
    tokenizer_params: dict[str, Any]

    @property
    def access(self) -> Access:
        return Access(
            reads=(*self.indexes.folders, str(self.pretrained_directory)),
            root=self.indexes.directory,
        )
