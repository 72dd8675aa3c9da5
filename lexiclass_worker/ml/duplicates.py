"""Near-duplicates in a project's index."""

import logging
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lexiclass import LexiClassError, PipelineSpec
from lexiclass.index import NEAR_DUPLICATE, near_duplicates_of
from lexiclass_worker.jobs.inputs import ProjectIndexes
from lexiclass_worker.jobs.supervision import AskForDigests
from lexiclass_worker.ml.index import open_tokens, token_index_name

_log: Final = logging.getLogger(__name__)

# Comparing as many takes about half a minute.
_MOST_COMPARED: Final = 200_000

#: Memory of a token that is compared: measured with 5,000 to 100,000 documents of a hundred tokens,
#: 50 to 85 bytes, the less the more.
TOKEN_BYTES: Final = 60

_LISTED: Final = 100


class TrainingDuplicates(NamedTuple):
    """Test documents that are like training documents.

    Attributes:
        told: The fields of :class:`lexiclass_core.schemas.TrainingDuplicates`.
        in_training: (n,) whether a test document is like one; None if none was compared.
    """

    told: dict[str, Any]
    in_training: NDArray[np.bool_] | None


def duplicates_in_training(
    indexes: ProjectIndexes | None,
    spec: PipelineSpec,
    *,
    test_ids: NDArray[np.int64],
    training_ids: NDArray[np.int64],
    is_right: NDArray[np.bool_],
    memory_bytes: int | None = None,
    ask: AskForDigests | None = None,
) -> TrainingDuplicates:
    """Say which test documents are like training documents, and how right the model is on others.

    Documents are compared as the index holds them; those it does not hold are not.

    Args:
        indexes: Those of the project; None to compare nothing.
        spec: Of the model's pipeline.
        test_ids: (n,) ids of the test documents.
        training_ids: Ids of the training documents.
        is_right: (n,) whether the model's class of a test document is the true one.
        memory_bytes: What the evaluation may take, which is done by now and is not to end with
            this; None for no limit.
        ask: See :func:`lexiclass_worker.ml.index.open_index`.
    """
    if len(test_ids) + len(training_ids) > _MOST_COMPARED:
        return _skipped(f"there are more than {_MOST_COMPARED} test and training documents")
    try:
        name = token_index_name(spec.tokenizer, spec.locale, spec.tokenizer_params)
        index = None if indexes is None else open_tokens(indexes, name, ask=ask)
        if index is None:
            return _skipped("the project has no index with the model's tokenizer and locale")
        rows = index.rows_of(np.concatenate((test_ids, training_ids)))
        needed = TOKEN_BYTES * index.num_tokens(rows[rows >= 0])
        # Half of it is left to what the evaluation holds: the model, the probabilities.
        if memory_bytes is not None and 2 * needed > memory_bytes:
            return _skipped(
                f"it would take about {needed / 2**20:,.0f} MiB of memory, more than half of "
                f"LIMITS__MEMORY_BYTES, {memory_bytes / 2**20:,.0f} MiB"
            )
        found = near_duplicates_of(index, test_ids, training_ids)
    except LexiClassError as error:
        _log.warning("the index is not used: %s", error)
        return _skipped("the index is damaged or of another version: index the project again")
    except OSError as error:
        _log.warning("the index is not used: %s", error)
        return _skipped("the index could not be copied from the object store")
    in_training = np.isin(test_ids, found)
    others = ~in_training
    told = {
        "threshold": NEAR_DUPLICATE,
        "num_compared": int(np.count_nonzero(index.rows_of(test_ids) >= 0)),
        "count": len(found),
        "document_ids": found[:_LISTED].tolist(),
        "accuracy_without": float(is_right[others].mean()) if others.any() else None,
    }
    return TrainingDuplicates(told, in_training)


def _skipped(reason: str) -> TrainingDuplicates:
    told = {
        "threshold": NEAR_DUPLICATE,
        "num_compared": 0,
        "count": 0,
        "document_ids": [],
        "accuracy_without": None,
        "skipped": reason,
    }
    return TrainingDuplicates(told, None)
