"""Documents in which a tokenizer finds nothing, and those that say something by symbols alone."""

import pytest

from tests.support.corpora import SmallProject, add_document, add_label
from tests.support.services import Workshop


async def project_of(
    workshop: Workshop, training: list[tuple[str, str]], test: list[tuple[str, str]]
) -> SmallProject:
    """A project with the texts and labels given."""
    labels = tuple(sorted({label for _, label in training}))
    project = await workshop.project(labels=labels, training=0, test=0)
    async with workshop.sessions.begin() as session:
        for rows, is_training_data in ((training, True), (test, False)):
            for text, label in rows:
                document_id = await add_document(session, workshop.path, project.project_id, text)
                await add_label(
                    session, project, document_id, label, is_training_data=is_training_data
                )
    return project


TRAINING = [
    (f"{words} number {number}", label)
    for number in range(12)
    for words, label in (("great film", "pos"), ("awful film", "neg"))
]
SYMBOLS = [("😀", "pos"), ("😡", "neg"), ("🎉🎉", "pos"), (" \n", "neg")]


async def test_documents_without_a_token_are_named_by_every_operation(workshop: Workshop) -> None:
    project = await project_of(workshop, [*TRAINING, ("🙂", "pos")], SYMBOLS)
    empty = project.test_ids

    trained = (await workshop.train(project)).metrics
    assert (trained.num_empty, trained.empty_document_ids) == (1, [project.training_ids[-1]])

    evaluated = await workshop.evaluate(project)
    assert (evaluated.num_empty, evaluated.empty_document_ids) == (4, empty)
    assert any("4 test documents hold nothing" in warning for warning in evaluated.warnings)

    predicted = await workshop.predict(project)
    assert (predicted.num_empty, predicted.empty_document_ids) == (
        5,
        sorted([*empty, project.training_ids[-1]]),
    )


@pytest.mark.slow
async def test_the_index_tells_of_documents_without_a_token_too(workshop: Workshop) -> None:
    project = await project_of(workshop, TRAINING, SYMBOLS)
    await workshop.index(project)
    await workshop.train(project)

    assert (await workshop.evaluate(project)).empty_document_ids == project.test_ids


@pytest.mark.slow
async def test_ordinary_documents_are_no_reason_to_warn(workshop: Workshop) -> None:
    project = await project_of(workshop, TRAINING, [("great film", "pos"), ("awful film", "neg")])
    trained = (await workshop.train(project)).metrics
    evaluated = await workshop.evaluate(project)

    assert (trained.num_empty, evaluated.num_empty) == (0, 0)
    assert not any("hold nothing" in warning for warning in evaluated.warnings)


@pytest.mark.slow
async def test_classes_told_apart_by_symbols_alone_are_learnt_where_symbols_are_kept(
    workshop: Workshop,
) -> None:
    places = ["the shop", "a market", "our town", "the park", "a house", "the school"]
    signs = (("😀", "pos"), ("😡", "neg"), (":)", "pos"), (":(", "neg"))
    training = [
        (f"today {place} opened {sign}", label) for place in places for sign, label in signs
    ]
    test = [(f"yesterday the library closed {sign}", label) for sign, label in signs]
    project = await project_of(workshop, training, test)

    await workshop.train(project, tokenizer_params={"keep_symbols": True})
    kept = await workshop.evaluate(project)
    assert (kept.metrics.accuracy, kept.num_empty) == (1.0, 0)

    await workshop.train(project)
    assert (await workshop.evaluate(project)).metrics.accuracy == 0.5
