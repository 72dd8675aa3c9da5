"""What is imported, and what became of it."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from lexiclass.corpora import (
    Columns,
    CorpusSummary,
)
from lexiclass_core.documents import (
    Counts,
)


@dataclass(slots=True, kw_only=True)
class ImportReport:
    """What an import did.

    Attributes:
        fields: Ids of the fields that labels were asked for, by name.
        num_training: Labels to learn from, new or told again.
        num_test: Labels to test with, new or told again.
        counts: What of it is new, or was changed.
        namesakes: Projects that had the name of the new one before.
    """

    project_id: int
    fields: dict[str, int]
    num_training: int = 0
    num_test: int = 0
    summary: CorpusSummary = field(default_factory=CorpusSummary)
    counts: Counts = field(default_factory=Counts)
    namesakes: list[int] = field(default_factory=list)

    @property
    def warnings(self) -> list[str]:
        """What whoever imports should look at, a sentence each."""
        found = self.summary.warnings()
        if self.namesakes:
            numbers = ", ".join(map(str, self.namesakes))
            found.insert(
                0,
                f"there was a project of this name already, number {numbers}: what was to be added "
                f"to it can be with --project {self.namesakes[-1]}, this new one is number "
                f"{self.project_id}",
            )
        if self.num_training and not self.num_test:
            found.append(
                "no test documents, so nothing can be evaluated: name a split, or give --test or "
                "--test-fraction"
            )
        if self.num_test and not self.num_training:
            found.append("no training documents: all labels are to test with")
        return found

    @property
    def field_id(self) -> int:
        """The first field."""
        return next(iter(self.fields.values()))

    @property
    def classes(self) -> Counter[str]:
        """Number of documents of each class of the first field."""
        return next(iter(self.summary.classes.values()), Counter())


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportRequest:
    """What to import, and where to.

    Attributes:
        path: A folder or file in one of the forms of :mod:`lexiclass.corpora`.
        project: Name of the new project, or number of one there is.
        test_fraction: Share of the labelled documents without a split that become test data,
            chosen by a hash of their text.
        max_bytes: Largest document that is accepted, in bytes.
        columns: Which column or key is what, and the names of the fields; by default text, label,
            split and id, for a field named label.
        labelled: Whether a corpus that can have no labels is refused.
        document_format: What files that could be plain text are in; None to recognise it.
        test: A folder or file with a separate test set, if there is one.
        max_refused: If a larger share of the records is refused, nothing is imported.
    """

    path: Path
    project: str | int
    test_fraction: float
    max_bytes: int
    columns: Columns = field(default_factory=Columns)
    labelled: bool = True
    document_format: str | None = None
    test: Path | None = None
    max_refused: float = 1.0
