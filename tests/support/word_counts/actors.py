"""The front door: ``dramatiq tests.support.word_counts.actors`` runs it beside all others."""

from tests.support.word_counts.operation import CountWords, WordCounts  # isort: split

# Makes the broker, for every operation that is declared by now.
import actors  # noqa: F401
from lexiclass_core import layout
from lexiclass_worker.actor import actor
from lexiclass_worker.execution.context import TaskContext
from tests.support.word_counts.counting import CountWordsJob


@actor(CountWords, preloads=["tests.support.word_counts.counting"])
async def count_words(task: TaskContext, request: CountWords) -> WordCounts:
    """Count the words of a project's documents."""
    task.progress.plan({"count": 1}, units={"count": "documents"})
    folder = task.storage.locate(layout.documents_directory(request.project_id))
    outcome = await task.sandbox.run(
        CountWordsJob(folder=folder, shortest=request.shortest), on_progress=task.progress.report
    )
    if not outcome["was_loaded"]:
        raise RuntimeError("the child had to load what the actor names")
    return WordCounts(
        project_id=request.project_id,
        num_documents=outcome["documents"],
        num_words=outcome["words"],
    )
