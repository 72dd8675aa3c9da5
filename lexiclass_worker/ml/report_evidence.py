"""What the report of an evaluation says of documents, as the project's index has them."""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from lexiclass import DocumentIndex, LexiClassError, PipelineSpec
from lexiclass.report.baselines import (
    MAX_TEST_DOCUMENTS,
    MAX_TRAINING_DOCUMENTS,
    Material,
    baselines_of,
    sample,
)
from lexiclass.report.counted import MAX_COMPARED, duplicate_keys
from lexiclass.report.outcomes import Outcomes
from lexiclass.report.scripts import scripts_of
from lexiclass_worker.jobs.inputs import ProjectIndexes
from lexiclass_worker.jobs.supervision import AskForDigests
from lexiclass_worker.ml.duplicates import TOKEN_BYTES
from lexiclass_worker.ml.index import open_tokens, token_index_name

_log: Final = logging.getLogger(__name__)

_NO_INDEX: Final = "the project has no index with the model's tokenizer and locale"


def evidence_from(
    indexes: ProjectIndexes | None,
    spec: PipelineSpec,
    outcomes: Outcomes,
    *,
    training_ids: Sequence[int],
    training_labels: Sequence[str],
    columns: Mapping[str, Sequence[str | None]],
    memory_bytes: int | None = None,
    ask: AskForDigests | None = None,
) -> dict[str, Any]:
    """Return what :func:`lexiclass.report.building.build_report` is to know beside predictions.

    Near-duplicates, equal texts and scripts of the test documents, and baselines: as far as the
    index holds these documents.

    ``columns`` are what test documents may have in common besides their script; ``memory_bytes``
    what the evaluation may take, None for no limit. For ``ask`` see
    :func:`lexiclass_worker.ml.index.open_index`.
    """
    counts = Counter(training_labels)
    known: dict[str, Any] = {"training_counts": counts, "columns": columns}
    material, missing = None, _NO_INDEX
    try:
        name = token_index_name(spec.tokenizer, spec.locale, spec.tokenizer_params)
        index = None if indexes is None else open_tokens(indexes, name, ask=ask)
        if index is not None:
            held = _read(index, outcomes, np.array(training_ids, dtype=np.int64), memory_bytes)
            if isinstance(held, str):
                missing = held
            else:
                known.update(held.known(len(outcomes)))
                known["columns"] = {"script": held.scripts(len(outcomes)), **columns}
                material = held.material(training_labels)
                missing = "the index does not have the training documents"
    except LexiClassError as error:
        _log.warning("the index is not used: %s", error)
        missing = "the index is damaged or of another version: index the project again"
    except OSError as error:
        _log.warning("the index is not used: %s", error)
        missing = "the index could not be copied from the object store"
    known["baselines"] = baselines_of(
        outcomes,
        spec=spec,
        training_counts=counts,
        material=material,
        missing=missing,
        groups=known.get("groups"),
    )
    return known


@dataclass(frozen=True, slots=True, eq=False)
class _Held:
    """Documents that the index holds: some of the test documents, some of the training documents.

    Attributes:
        tested: (s,) which of the test documents, rising.
        learned: (t,) which of the training documents, rising.
        counts: (s + t, m) of their terms.
        terms: The m terms.
    """

    tested: NDArray[np.intp]
    learned: NDArray[np.intp]
    counts: sparse.csr_array
    terms: Sequence[str]

    def known(self, number: int) -> dict[str, Any]:
        """Say what all so many test documents are like; one that is not held is like no other."""
        counts = self.counts[: len(self.tested)]
        nearly, same = duplicate_keys(counts)
        return {"groups": self._of_all(nearly, number), "same_text": self._of_all(same, number)}

    def scripts(self, number: int) -> list[str | None]:
        """Name the script of all so many test documents; None where it is not known."""
        counts = self.counts[: len(self.tested)]
        scripts: list[str | None] = [None] * number
        for row, script in zip(self.tested.tolist(), scripts_of(counts, self.terms), strict=True):
            scripts[row] = script
        return scripts

    def _of_all(self, keys: NDArray[np.uint64], number: int) -> NDArray[np.intp]:
        numbers = np.arange(number) + number
        numbers[self.tested] = np.unique(keys, return_inverse=True)[1]
        return numbers

    def material(self, labels: Sequence[str]) -> Material | None:
        """Documents for baselines; None if there are none of one kind."""
        if not (len(self.tested) and len(self.learned)):
            return None
        chosen = sample(len(self.tested), MAX_TEST_DOCUMENTS)
        return Material(
            training=self.counts[len(self.tested) :],
            labels=[labels[row] for row in self.learned.tolist()],
            test=self.counts[chosen],
            rows=self.tested[chosen],
        )


def _read(
    index: DocumentIndex,
    outcomes: Outcomes,
    training_ids: NDArray[np.int64],
    memory_bytes: int | None,
) -> _Held | str:
    """Read what the index holds of the documents, or say why not."""
    if len(outcomes) > MAX_COMPARED:
        return f"there are more than {MAX_COMPARED:,} test documents"
    test_rows = index.rows_of(np.array(outcomes.documents, dtype=np.int64))
    training_rows = index.rows_of(training_ids)
    tested, indexed = np.flatnonzero(test_rows >= 0), np.flatnonzero(training_rows >= 0)
    learned = indexed[sample(len(indexed), MAX_TRAINING_DOCUMENTS)]
    rows = np.concatenate((test_rows[tested], training_rows[learned]))
    needed = TOKEN_BYTES * index.num_tokens(rows)
    # Half of it is left to what the evaluation holds: the model, the predictions.
    if memory_bytes is not None and 2 * needed > memory_bytes:
        return f"it would take about {needed / 2**20:,.0f} MiB, more than half of what there is"
    tokens = index.tokens(rows)
    return _Held(tested, learned, tokens.counts(), tokens.terms)
