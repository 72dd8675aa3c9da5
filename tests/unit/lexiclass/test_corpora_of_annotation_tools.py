"""Exports of annotation tools: what people answered is the label, and nothing else is."""

from __future__ import annotations

import json
from collections import Counter

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lexiclass import InvalidParameters, LabelledText, Refusal, read_corpus
from lexiclass.corpora import Columns


def read(tmp_path, rows, name="c.jsonl", **options):
    path = tmp_path / name
    lines = map(json.dumps, rows)
    path.write_text(json.dumps(list(rows)) if name == "c.json" else "\n".join(lines))
    records = list(read_corpus(path, **options))
    labels = [(r.text, r.label) for r in records if isinstance(r, LabelledText)]
    return labels, [r.reason for r in records if isinstance(r, Refusal)]


def task(text, *annotations, **more):
    results = [
        {**more, "result": [{"type": "choices", "from_name": name, "value": {"choices": choices}}
                            for name, choices in annotation.items()]}
        for annotation in annotations
    ]  # fmt: skip
    return {
        "id": 1,
        "data": {"text": text},
        "annotations": results,
        "predictions": [{"result": []}],
    }


def test_label_studio_gives_the_choice_of_its_annotators(tmp_path):
    rows = [
        task("one", {"taste": ["sweet"]}),
        task("two", {"taste": ["sour"]}, {"taste": ["sour"]}),
        task("three", {"taste": ["sour"]}, {"taste": ["sweet"]}),
        task("four"),
        task("five", {"taste": ["sour"]}, was_cancelled=True),
        task("six", {"taste": ["sour", "sweet"]}),
        {"data": {"text": "predicted only"}, "predictions": [{"result": []}]},
        {**task("", {"q": ["a"]}), "data": {"text": "seven", "label": "its own"}},
    ]

    labels, reasons = read(tmp_path, rows, "c.json")

    assert labels == [
        ("one", "sweet"), ("two", "sour"), ("four", None), ("five", None),
        ("predicted only", None), ("seven", "a"),
    ]  # fmt: skip
    assert reasons == [
        "its annotators disagree: ['sour'], ['sweet']; settle it in the tool first",
        "2 labels; a field has one",
    ]


def test_several_questions_of_label_studio_are_columns(tmp_path):
    rows = [task("one", {"taste": ["sweet"], "size": ["big"]})]

    with pytest.raises(InvalidParameters, match=r"no record has the key 'label'.*'taste', 'size'"):
        read(tmp_path, rows)
    labels, _ = read(tmp_path, rows, columns=Columns(labels={"size": "size"}))
    assert labels == [("one", "big")]


@pytest.mark.parametrize("name", ["c.jsonl", "c.csv"])
def test_the_flat_exports_of_label_studio_need_no_name_for_a_single_question(tmp_path, name):
    flat = {"annotation_id": 5, "annotator": 1, "lead_time": 2.5, "id": 1}
    if name == "c.csv":
        (tmp_path / name).write_text(
            "annotation_id,annotator,id,lead_time,taste,text\n5,1,1,2.5,sweet,one\n"
            '6,1,2,2.5,"{""choices"": [""sour"", ""sweet""]}",two\n'
        )
        records = list(read_corpus(tmp_path / name))
        labels = [(r.text, r.label) for r in records if isinstance(r, LabelledText)]
    else:
        two = {"text": "two", "taste": {"choices": ["sour", "sweet"]}, **flat}
        labels, _ = read(tmp_path, [{"text": "one", "taste": "sweet", **flat}, two])

    assert labels == [("one", "sweet")]


def test_a_flat_export_with_several_questions_needs_a_name(tmp_path):
    row = {"annotation_id": 5, "text": "one", "taste": "sweet", "size": "big"}

    with pytest.raises(InvalidParameters, match="--label-column"):
        read(tmp_path, [row])
    labels, _ = read(tmp_path, [row], columns=Columns(labels={"label": "size"}))
    assert labels == [("one", "big")]


def test_what_was_rejected_or_ignored_in_prodigy_is_no_label(tmp_path):
    rows = [
        {"text": answer, "label": "SPORT", "answer": answer, "_input_hash": 1}
        for answer in ("accept", "reject", "ignore")
    ]

    labels, reasons = read(tmp_path, rows)

    assert labels == [("accept", "SPORT")]
    assert reasons == ["the answer is 'reject'", "the answer is 'ignore'"]


def test_a_choice_in_prodigy_is_the_label(tmp_path):
    options = [{"id": "SPORT", "text": "Sport"}, {"id": "POLITICS", "text": "Politics"}]
    choices = [["SPORT"], ["POLITICS"], [], ["SPORT", "POLITICS"]]
    rows = [
        {"text": str(n), "options": options, "accept": accept, "answer": "accept"}
        for n, accept in enumerate(choices)
    ]
    rows.append({"text": "x", "options": options, "accept": ["SPORT"], "answer": "reject"})

    labels, reasons = read(tmp_path, rows)

    assert labels == [("0", "SPORT"), ("1", "POLITICS"), ("2", None)]
    assert reasons == ["2 labels; a field has one", "the answer is 'reject'"]


def test_doccano_gives_its_label_under_either_name(tmp_path):
    rows = [
        {"id": 1, "text": "one", "label": ["a"], "Comments": []},
        {"id": 2, "text": "two", "label": []},
        {"id": 3, "text": "three", "labels": ["b"]},
        {"id": 4, "text": "four", "labels": "b"},
        {"id": 5, "text": "five", "label": [[0, 4, "PERSON"]]},
        {"id": 6, "text": "six", "labels": ["a", "b"]},
    ]

    labels, reasons = read(tmp_path, rows)

    assert labels == [("one", "a"), ("two", None), ("three", "b"), ("four", "b")]
    assert reasons == [
        "its labels are of parts of the text (spans), not of the whole",
        "2 labels; a field has one",
    ]


def record(text, *responses, status="completed"):
    given = [{"value": value, "user_id": "u"} for value in responses]
    return {
        "id": text, "status": status, "fields": {"text": text}, "metadata": {},
        "suggestions": {"topic": {"value": "suggested", "score": 0.9, "agent": "model"}},
        "responses": {"topic": given} if given else {},
    }  # fmt: skip


def test_argilla_gives_responses_and_no_suggestions(tmp_path):
    rows = [
        record("one", "a"),
        record("two", "b", "b"),
        record("three", "a", "b"),
        record("four", status="pending"),
        record("five", "a", status="discarded"),
    ]

    labels, reasons = read(tmp_path, rows, "c.json")

    assert labels == [("one", "a"), ("two", "b"), ("four", None)]
    assert reasons == [
        "its annotators disagree: 'a', 'b'; settle it in the tool first",
        "its status is 'discarded'",
    ]


def test_argilla_as_a_data_set_gives_what_was_submitted(tmp_path):
    def row(text, responses, statuses, status="completed"):
        return {
            "id": text, "status": status, "text": text, "topic.responses": responses,
            "topic.responses.users": ["u"] * len(responses), "topic.responses.status": statuses,
            "topic.suggestion": "suggested", "topic.suggestion.score": 0.9,
        }  # fmt: skip

    rows = [
        row("one", ["a"], ["submitted"]),
        row("two", ["a", "b"], ["draft", "submitted"]),
        row("three", ["a"], ["discarded"]),
        row("four", [], [], status="pending"),
    ]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "c.parquet")

    expected = [("one", "a"), ("two", "b"), ("four", None)], ["its status is 'discarded'"]
    assert read(tmp_path, rows) == expected
    records = list(read_corpus(tmp_path / "c.parquet"))
    assert [(r.text, r.label) for r in records if isinstance(r, LabelledText)] == expected[0]


def test_older_records_of_argilla_are_understood(tmp_path):
    rows = [
        {"text": "one", "annotation": "a", "prediction": [["b", 0.9]], "status": "Validated"},
        {"inputs": {"text": "two"}, "text": None, "annotation": None, "status": "Default"},
        {"text": "three", "annotation": "a", "status": "Discarded"},
        {
            "fields": {"text": "four"},
            "responses": [
                {"user_id": "u", "status": "submitted", "values": {"topic": {"value": "a"}}},
                {"user_id": "v", "status": "draft", "values": {"topic": {"value": "b"}}},
            ],
        },
    ]

    labels, reasons = read(tmp_path, rows)

    assert labels == [("one", "a"), ("two", None), ("four", "a")]
    assert reasons == ["its status is 'discarded'"]


def test_records_that_no_tool_has_made_stay_as_they_are(tmp_path):
    rows = [
        {"text": "one", "label": "a", "answer": "Paris", "accept": ["x"], "data": {"text": "y"}},
        {"text": "two", "label": "b", "status": "discarded", "responses": 3, "annotation": "z"},
    ]

    labels, reasons = read(tmp_path, rows)

    assert Counter(labels) == Counter([("one", "a"), ("two", "b")])
    assert not reasons


def test_tasks_come_back_from_label_studio_with_their_ids(tmp_path):
    rows = [
        {**task("one", {"topic": ["a"]}), "data": {"text": "one", "id": "doc-1", "split": "test"}}
    ]
    path = tmp_path / "c.json"
    path.write_text(json.dumps(rows))

    (record,) = read_corpus(path, columns=Columns(labels={"topic": "label"}))

    assert (record.id, record.split, dict(record.labels)) == ("doc-1", "test", {"topic": "a"})
