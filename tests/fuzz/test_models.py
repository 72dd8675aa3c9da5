"""Files of models and indexes by somebody who can write to the storage, and seals them again."""

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st

from lexiclass import (
    Document,
    DocumentIndex,
    LexiClassError,
    Pipeline,
    PipelineSpec,
    build_index,
    find_duplicates,
    read_manifest,
)
from lexiclass.self_digest import dump_with_digest, load_with_digest
from tests.support.changed_values import changed_bytes, changed_safetensors, changed_value
from tests.support.corpora import make_text
from tests.support.damage import reseal
from tests.support.fuzzing import in_child

TEXTS = [make_text(label, seed) for seed in range(12) for label in ("animals", "vehicles")]
LABELS = ["animals", "vehicles"] * 12

SPECS = {
    "bow and svm": PipelineSpec(),
    "tfidf and svm": PipelineSpec(
        feature_extractor="tfidf", feature_extractor_params={"ngram_range": [1, 2]}
    ),
    "characters and svm": PipelineSpec(
        feature_extractor="tfidf", feature_extractor_params={"analyzer": "both"}
    ),
    "many labels": PipelineSpec(feature_extractor="tfidf", multi_label=True),
}


@pytest.fixture(scope="module", params=SPECS, ids=str)
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    spec = SPECS[request.param]
    pipeline = Pipeline(spec)
    labels: list[Any] = [[label] for label in LABELS] if spec.multi_label else LABELS
    pipeline.fit(TEXTS, labels)
    directory = tmp_path_factory.mktemp("model") / "model"
    pipeline.save(directory)
    return directory


@st.composite
def changes(draw: st.DrawFn, directory: Path, manifest: str) -> tuple[str, bytes | None]:
    """A file of a folder and its new content; None removes it."""
    files = sorted(path for path in directory.rglob("*") if path.is_file())
    file = draw(st.sampled_from(files))
    name, data = file.relative_to(directory).as_posix(), file.read_bytes()
    if name == manifest:
        content = draw(changed_value(load_with_digest(data, file=name)))
        if not isinstance(content, dict):
            return name, json.dumps(content).encode()
        try:
            return name, dump_with_digest(content)
        except LexiClassError:
            return name, json.dumps(content).encode()
    kind = draw(st.sampled_from(["content", "content", "content", "bytes", "remove"]))
    if kind == "remove":
        return name, None
    if kind == "content" and name.endswith(".json"):
        changed = draw(changed_value(json.loads(data)))
        return name, json.dumps(changed, ensure_ascii=False).encode(errors="surrogatepass")
    if kind == "content" and name.endswith(".safetensors"):
        return name, draw(changed_safetensors(data))
    return name, draw(changed_bytes(data))


def changed_copy(
    original: Path, place: Path, change: tuple[str, bytes | None], sealed: Callable[[Path], None]
) -> Path:
    """A copy with one file changed, whose checksums pass where that is possible."""
    if place.exists():
        shutil.rmtree(place)
    shutil.copytree(original, place)
    name, content = change
    if content is None:
        (place / name).unlink()
    else:
        (place / name).write_bytes(content)
    sealed(place)
    return place


@pytest.mark.timeout(0)
def test_a_model_loads_and_predicts_in_order_or_is_refused(
    fuzz: Callable[..., None], model: Path, tmp_path: Path
) -> None:
    before = Pipeline.load(model).predict(TEXTS[:4])

    def seal_files(place: Path) -> None:
        if (place / "manifest.json").read_bytes() == (model / "manifest.json").read_bytes():
            reseal(place)

    def load(place: Path) -> None:
        try:
            pipeline = Pipeline.load(place)
            found = pipeline.predict([*TEXTS[:4], "", "unknown words only"])
        except LexiClassError:
            return
        assert found.classes == read_manifest(place).classes
        assert list(found.classes) == sorted(set(found.classes))
        assert found.probabilities.shape == (6, len(found.classes))
        assert np.isfinite(found.probabilities).all()
        assert ((found.probabilities >= 0) & (found.probabilities <= 1)).all()
        if found.threshold is None:
            assert np.allclose(found.probabilities.sum(axis=1), 1)
            assert len(found.classes) == len(before.classes)

    def examine(change: tuple[str, bytes | None]) -> None:
        place = changed_copy(model, tmp_path / "changed", change, seal_files)
        in_child(lambda: load(place))

    fuzz(examine, changes(model, "manifest.json"))


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("index") / "index"
    documents = [
        Document(number, text, hashlib.blake2b(text.encode(), digest_size=16).hexdigest(), "utf-8")
        for number, text in enumerate(TEXTS, 1)
    ]
    build_index(directory, documents[:16])
    build_index(directory, documents)
    return directory


@pytest.mark.timeout(0)
def test_an_index_answers_in_order_or_is_refused(
    fuzz: Callable[..., None], index: Path, tmp_path: Path
) -> None:
    pipeline = Pipeline(PipelineSpec())

    def seal_files(place: Path) -> None:
        """Write the sizes and checksums of the files as they are into the index's manifest."""
        if (place / "index.json").read_bytes() != (index / "index.json").read_bytes():
            return
        content = load_with_digest((place / "index.json").read_bytes(), file="index.json")
        (place / "index.json").write_bytes(dump_with_digest(_recorded(content, place)))

    def use(place: Path) -> None:
        try:
            opened = DocumentIndex.open(place)
            opened.verify()
            ids = opened.ids
            tokens = opened.tokens()
            counts = opened.counts()
            known = [int(each) for each in ids[:2]]
            near = opened.similar(known[0], 3) if known else []
            list(find_duplicates(opened, threshold=0.5))
            opened.fits(pipeline)
        except LexiClassError:
            return
        assert len(set(ids.tolist())) == len(ids)
        assert counts.shape[0] == len(ids)
        assert len(tokens) == len(ids)
        assert all(-1e-6 <= each.similarity <= 1 + 1e-6 for each in near)

    def examine(change: tuple[str, bytes | None]) -> None:
        place = changed_copy(index, tmp_path / "changed", change, seal_files)
        in_child(lambda: use(place))

    fuzz(examine, changes(index, "index.json"))


def _recorded(value: Any, place: Path) -> Any:
    """Records of files, wherever they stand in a manifest, as the files are now."""
    from lexiclass.checksums import FileRecord

    match value:
        case dict():
            return {
                name: FileRecord.of(place / name).model_dump()
                if isinstance(item, dict)
                and item.keys() == FileRecord.model_fields.keys()
                and (place / name).is_file()
                else _recorded(item, place)
                for name, item in value.items()
            }
        case list():
            return [_recorded(item, place) for item in value]
        case _:
            return value
