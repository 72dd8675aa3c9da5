"""The demo corpus: honest, the same every time, and learnable."""

import json
import os
import re
import subprocess
import sys
from collections import Counter, defaultdict
from dataclasses import asdict
from pathlib import Path

import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.metrics import f1_score
from sklearn.svm import LinearSVC

from lexiclass_worker.demo_corpus import (
    MAX_DOCUMENTS_PER_SUBJECT,
    MIN_CHARACTERS,
    MIN_WORDS,
    SUBJECTS,
    LabelledText,
    build_demo_corpus,
)

# Building it takes as long as a hundred other tests.
pytestmark = pytest.mark.slow

Corpus = list[LabelledText]


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    return build_demo_corpus()


def test_it_is_big_enough_and_balanced(corpus: Corpus) -> None:
    labels = Counter(document.label for document in corpus)
    in_test = Counter(document.label for document in corpus if document.split == "test")
    assert len(corpus) >= 4_000
    assert set(labels) == set(SUBJECTS)
    assert len(labels) >= 8
    assert max(labels.values()) <= MAX_DOCUMENTS_PER_SUBJECT
    assert max(labels.values()) <= 3 * min(labels.values())
    assert min(in_test.values()) >= 30
    assert 0.2 < in_test.total() / len(corpus) < 0.3


def test_every_document_is_clean_text(corpus: Corpus) -> None:
    for document in corpus:
        assert len(document.text) >= MIN_CHARACTERS
        assert len(document.text.split()) >= MIN_WORDS
        assert document.text == document.text.strip()
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", document.text)
        assert document.text.encode()
        assert re.fullmatch(r"[\w.]+:[\w.]+", document.source)


def test_sources_are_libraries_and_not_their_tests(corpus: Corpus) -> None:
    for document in corpus:
        module = document.source.partition(":")[0]
        assert not {"test", "tests", "conftest"} & set(module.split("."))
        assert any(
            module == name or module.startswith(f"{name}.") for name in SUBJECTS[document.label]
        )


WRITE = """
import sys
from pathlib import Path
from lexiclass_worker.demo_corpus import write_demo_corpus
print(write_demo_corpus(Path(sys.argv[1])))
print([name for name in ("alembic", "dramatiq", "rich", "sklearn.svm") if name in sys.modules])
"""


def test_another_process_writes_the_same_and_imports_none_of_the_sources(
    corpus: Corpus, tmp_path: Path
) -> None:
    path = tmp_path / "corpus.jsonl"
    done = subprocess.run(
        [sys.executable, "-c", WRITE, path],
        env={
            **os.environ,
            "PYTHONHASHSEED": "12345",
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        },
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == [str(len(corpus)), "[]"]
    written = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert written == [asdict(document) for document in corpus]


def test_no_test_document_nearly_equals_a_training_document(corpus: Corpus) -> None:
    """Checked another way than it is made: runs of five words, Jaccard, an inverted index."""
    shingles = [runs_of_five(document.text) for document in corpus]
    train_with: defaultdict[tuple[str, ...], list[int]] = defaultdict(list)
    for index, document in enumerate(corpus):
        if document.split == "train":
            for shingle in shingles[index]:
                train_with[shingle].append(index)
    closest = 0.0
    for index, document in enumerate(corpus):
        if document.split == "test":
            common = Counter(
                other for shingle in shingles[index] for other in train_with.get(shingle, ())
            )
            for other, shared in common.items():
                union = len(shingles[index]) + len(shingles[other]) - shared
                closest = max(closest, shared / union)
    assert closest < 0.5


def test_no_text_occurs_twice_even_with_other_case_and_spacing(corpus: Corpus) -> None:
    normal_forms = {" ".join(document.text.lower().split()) for document in corpus}
    assert len(normal_forms) == len(corpus)


def test_a_linear_model_learns_the_subjects(corpus: Corpus) -> None:
    train = [document for document in corpus if document.split == "train"]
    test = [document for document in corpus if document.split == "test"]
    vectorizer = TfidfVectorizer(sublinear_tf=True, min_df=2)
    features = vectorizer.fit_transform([document.text for document in train])
    model = LinearSVC(random_state=0).fit(features, [document.label for document in train])
    predicted = model.predict(vectorizer.transform([document.text for document in test]))
    truth = [document.label for document in test]
    assert f1_score(truth, predicted, average="macro") >= 0.85


def runs_of_five(text: str) -> set[tuple[str, ...]]:
    words = re.findall(r"[a-z0-9]+", text.lower())
    return set(zip(*(words[start:] for start in range(5)), strict=False))
