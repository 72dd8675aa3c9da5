"""``lexiclass suspects``, in this process."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from lexiclass.manifest import EVIDENCE_FILE
from tests.support.easy_corpus import make_corpus
from tests.unit.lexiclass.test_cli import Command, lexiclass

__all__ = ["lexiclass"]


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """180 documents, of which the eighth, the first to train on, is labelled wrongly."""
    texts, labels = make_corpus(per_class=60)
    labels[7] = next(name for name in sorted(set(labels)) if name != labels[7])
    path = tmp_path / "corpus.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label", "split"])
        splits = ["test"] * 7 + ["train"] * 173
        writer.writerows(zip(texts, labels, splits, strict=True))
    return path


def test_wrong_labels_of_the_corpus_are_listed_with_their_texts(
    lexiclass: Command, corpus: Path, tmp_path: Path
) -> None:
    texts, labels = make_corpus(per_class=60)
    trained = lexiclass("train", corpus, tmp_path / "model", "--features", "tfidf")
    assert trained.status == 0, trained.err
    listed = lexiclass("suspects", tmp_path / "model", corpus, "--json").json()

    assert listed[0]["place"] == 0
    assert listed[0]["text"] == texts[7]
    assert (listed[0]["suggested"], listed[0]["reasons"]) == (labels[7], ["confident_learning"])
    shown = lexiclass("suspects", tmp_path / "model", corpus)
    assert shown.status == 0
    assert "173 were held out" in " ".join(shown.out.split())


def test_another_corpus_and_a_model_that_has_kept_nothing_are_refused(
    lexiclass: Command, corpus: Path, tmp_path: Path
) -> None:
    lexiclass("train", corpus, tmp_path / "model", "--features", "tfidf")
    lexiclass("train", corpus, tmp_path / "several", "--multi-label")
    rows = corpus.read_text().splitlines(keepends=True)
    corpus.write_text("".join([*rows[:-1], rows[-1].replace(".", " changed.")]))
    changed = lexiclass("suspects", tmp_path / "model", corpus)
    assert changed.status == 2
    assert "not what the model was trained on" in changed.err
    nothing = lexiclass("suspects", tmp_path / "several", corpus)
    assert nothing.status == 2
    assert "Train again" in nothing.err
    (tmp_path / "model" / EVIDENCE_FILE).write_bytes(b"")
    damaged = lexiclass("suspects", tmp_path / "model", corpus)
    assert damaged.status == 1
    assert "MODEL_CORRUPT" in damaged.err
