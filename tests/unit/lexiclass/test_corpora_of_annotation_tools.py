"""Exports of annotation tools: what people answered is the label, and nothing else is."""

from __future__ import annotations

import copy
import csv
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lexiclass import InvalidParameters, LabelledText, Refusal, read_corpus
from lexiclass.corpora import Columns
from tests.support.records import labelled_texts


def read(
    tmp_path: Path, rows: Sequence[Any], name: str = "c.jsonl", **options: Any
) -> tuple[list[tuple[str, str | None]], list[str]]:
    path = tmp_path / name
    lines = map(json.dumps, rows)
    path.write_text(json.dumps(list(rows)) if name == "c.json" else "\n".join(lines))
    records = list(read_corpus(path, **options))
    labels = [(r.text, r.label) for r in records if isinstance(r, LabelledText)]
    return labels, [r.reason for r in records if isinstance(r, Refusal)]


def task(text: str, *annotations: Any, **more: Any) -> dict[str, Any]:
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


def test_label_studio_gives_the_choice_of_its_annotators(tmp_path: Path) -> None:
    rows = [
        task("one", {"taste": ["sweet"]}),
        task("two", {"taste": ["sour"]}, {"taste": ["sour"]}),
        task("three", {"taste": ["sour"]}, {"taste": ["sweet"]}),
        task("four"),
        task("five", {"taste": ["sour"]}, was_cancelled=True),
        task("six", {"taste": ["sour", "sweet"]}),
        {"data": {"text": "predicted only"}, "predictions": [{"result": []}]},
        {**task("", {"taste": ["sour"]}), "data": {"text": "seven", "label": "its own"}},
    ]

    labels, reasons = read(tmp_path, rows, "c.json")

    assert labels == [
        ("one", "sweet"), ("two", "sour"), ("four", None), ("five", None),
        ("predicted only", None), ("seven", "sour"),
    ]  # fmt: skip
    assert reasons == [
        "its annotators disagree: ['sour'], ['sweet']; settle it in the tool first",
        "2 labels; a field has one",
    ]


def test_several_questions_of_label_studio_are_columns(tmp_path: Path) -> None:
    rows = [task("one", {"taste": ["sweet"], "size": ["big"]})]

    with pytest.raises(InvalidParameters, match=r"'size', 'taste'.*--field size=size --field"):
        read(tmp_path, rows)
    each_another = [task("one", {"taste": ["sweet"]}), task("two", {"size": ["big"]})]
    with pytest.raises(InvalidParameters, match="answers to several questions"):
        read(tmp_path, each_another)
    labels, _ = read(tmp_path, rows, columns=Columns(labels={"size": "size"}))
    assert labels == [("one", "big")]


@pytest.mark.parametrize("name", ["c.jsonl", "c.csv"])
def test_the_flat_exports_of_label_studio_need_no_name_for_a_single_question(
    tmp_path: Path, name: str
) -> None:
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


def test_a_flat_export_with_several_questions_needs_a_name(tmp_path: Path) -> None:
    row = {"annotation_id": 5, "text": "one", "taste": "sweet", "size": "big"}

    with pytest.raises(InvalidParameters, match="--label-column"):
        read(tmp_path, [row])
    labels, _ = read(tmp_path, [row], columns=Columns(labels={"label": "size"}))
    assert labels == [("one", "big")]


def test_what_was_rejected_or_ignored_in_prodigy_is_no_label(tmp_path: Path) -> None:
    rows = [
        {"text": answer, "label": "SPORT", "answer": answer, "_input_hash": 1}
        for answer in ("accept", "reject", "ignore")
    ]

    labels, reasons = read(tmp_path, rows)

    assert labels == [("accept", "SPORT")]
    assert reasons == ["the answer is 'reject'", "the answer is 'ignore'"]


def test_a_choice_in_prodigy_is_the_label(tmp_path: Path) -> None:
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


def test_doccano_gives_its_label_under_either_name(tmp_path: Path) -> None:
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


def record(text: str, *responses: Any, status: str = "completed") -> dict[str, Any]:
    given = [{"value": value, "user_id": "u"} for value in responses]
    return {
        "id": text, "status": status, "fields": {"text": text}, "metadata": {},
        "suggestions": {"topic": {"value": "suggested", "score": 0.9, "agent": "model"}},
        "responses": {"topic": given} if given else {},
    }  # fmt: skip


def test_argilla_gives_responses_and_no_suggestions(tmp_path: Path) -> None:
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


def test_argilla_as_a_data_set_gives_what_was_submitted(tmp_path: Path) -> None:
    def row(
        text: str, responses: list[str], statuses: list[str], status: str = "completed"
    ) -> dict[str, Any]:
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


def test_older_records_of_argilla_are_understood(tmp_path: Path) -> None:
    rows = [
        {"text": "one", "annotation": "a", "prediction": [["b", 0.9]], "status": "Validated"},
        {"inputs": {"text": "two"}, "text": None, "annotation": None, "status": "Default"},
        {"text": "three", "annotation": "a", "status": "Discarded"},
        {
            "fields": {"text": "four"},
            "responses": [
                {"user_id": "u", "status": "submitted", "values": {"annotation": {"value": "a"}}},
                {"user_id": "v", "status": "draft", "values": {"annotation": {"value": "b"}}},
            ],
        },
    ]

    labels, reasons = read(tmp_path, rows)

    assert labels == [("one", "a"), ("two", None), ("four", "a")]
    assert reasons == ["its status is 'discarded'"]


def test_records_that_no_tool_has_made_stay_as_they_are(tmp_path: Path) -> None:
    rows = [
        {"text": "one", "label": "a", "answer": "Paris", "accept": ["x"], "data": {"text": "y"}},
        {"text": "two", "label": "b", "status": "discarded", "responses": 3, "annotation": "z"},
    ]

    labels, reasons = read(tmp_path, rows)

    assert Counter(labels) == Counter([("one", "a"), ("two", "b")])
    assert not reasons


def test_tasks_come_back_from_label_studio_with_their_ids(tmp_path: Path) -> None:
    rows = [
        {**task("one", {"topic": ["a"]}), "data": {"text": "one", "id": "doc-1", "split": "test"}}
    ]
    path = tmp_path / "c.json"
    path.write_text(json.dumps(rows))

    (record,) = labelled_texts(read_corpus(path, columns=Columns(labels={"topic": "label"})))

    assert (record.id, record.split, dict(record.labels)) == ("doc-1", "test", {"topic": "a"})


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"label.responses": 5}, "label.responses: expected a list, found a number"),
        ({"label.responses": "a"}, "label.responses: expected a list, found text"),
        (
            {"label.responses": "[['a'], ['b']]"},
            "label.responses: expected a list, found text",
        ),
        ({"label.responses": "[array(['a'])]"}, "label.responses: expected a list, found text"),
        *(
            ({"label.responses": text}, "label.responses: expected a list, found text")
            # Python's own parser runs out of memory or levels with the first ones.
            for text in (f"[{'-' * 20_000}1]", f"[{'a.b' * 3000}]", f"['a'{',' * 1_000_000}]")
        ),
        (
            {"label.responses": ["a"], "label.responses.status": 3},
            "label.responses.status: expected a list, found a number",
        ),
        (
            {"label.responses": ["a"], "label.responses.status": ["draft", "submitted"]},
            "label.responses.status: 2 for 1 responses",
        ),
        ({"fields": {"text": "x"}, "responses": 5}, "responses: expected a list, found a number"),
        (
            {"fields": {"text": "x"}, "responses": {"q": {}}},
            "responses to 'q': expected a list, found an object",
        ),
        (
            {"fields": {"text": "x"}, "responses": [{"values": {"q": None}}]},
            "values of 'q': expected an object, found null",
        ),
        (
            {"data": {"text": "x"}, "annotations": "x"},
            "annotations: expected a list, found text",
        ),
        (
            {"data": {"text": "x"}, "annotations": [{"result": True}]},
            "result: expected a list, found true or false",
        ),
        (
            {"data": {"text": "x"}, "annotations": [{"result": [{"value": {"taxonomy": [1]}}]}]},
            "taxonomy: expected a list, found a number",
        ),
    ],
)
def test_what_is_not_as_the_tool_writes_it_costs_its_record_alone(
    tmp_path: Path, row: dict[str, Any], reason: str
) -> None:
    rows = [{"text": "x", **row}, {"text": "good", "label": "a"}]

    assert read(tmp_path, rows) == ([("good", "a")], [reason])


def test_a_status_that_is_none_of_argilla_makes_no_record_of_it(tmp_path: Path) -> None:
    row = {"text": "x", "label": "a", "annotation": "b", "status": ["Validated"]}

    assert read(tmp_path, [row]) == ([("x", "a")], [])


@pytest.mark.parametrize("depth", [400, 900, 5000])
def test_what_is_nested_too_deeply_costs_its_record_alone(tmp_path: Path, depth: int) -> None:
    result = '{"result": [{"value": {"rating": DEEP}}]}'
    lines = [
        '{"text": "x", "label": DEEP}',
        '{"text": "x", "label": "a", "id": DEEP}',
        '{"data": {"text": "x"}, "annotations": [%s, %s]}' % (result, result),  # noqa: UP031
        '{"text": "good", "label": "a"}',
    ]
    deep = "[" * depth + '"a", "b"' + "]" * depth
    (tmp_path / "c.jsonl").write_text("\n".join(lines).replace("DEEP", deep))
    flat = '{""choices"": [' + deep.replace('"', '""') + "]}"
    (tmp_path / "c.csv").write_text(f'annotation_id,text,label\n1,x,"{flat}"\n2,good,a\n')

    for name, number in (("c.jsonl", 4), ("c.csv", 2)):
        records = list(read_corpus(tmp_path / name))
        assert len(records) == number
        (last,) = labelled_texts(records[-1:])
        assert (last.text, last.label) == ("good", "a")
        assert isinstance(records[0], Refusal)


_EXPORTED = [
    task("one", {"taste": ["sweet"]}),
    {"data": {"text": "x"}, "annotations": [
        {"result": [{"from_name": "q", "value": {"taxonomy": [["a", "b"]]}}]}
    ]},
    {"annotation_id": 5, "id": 1, "text": "one", "taste": {"choices": ["a", "b"]}},
    record("two", "b", "b"),
    {"text": "x", "topic.responses": ["a"], "topic.responses.status": ["submitted"]},
    {"inputs": {"text": "two"}, "text": None, "annotation": "a", "status": "Default"},
    {"fields": {"text": "four"}, "responses": [
        {"status": "submitted", "values": {"topic": {"value": "a"}}}
    ]},
    {"text": "x", "options": [{"id": "a"}], "accept": ["a"], "answer": "accept"},
    {"id": 3, "text": "three", "labels": ["b"], "Comments": []},
]  # fmt: skip
_ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner),
    max_leaves=4,
)


@given(st.sampled_from(_EXPORTED), st.data())
def test_any_value_may_stand_anywhere_in_an_export(
    tmp_path_factory: pytest.TempPathFactory, exported: dict[str, Any], data: st.DataObject
) -> None:
    changed = copy.deepcopy(exported)
    place: Any = changed
    key: Any = data.draw(st.sampled_from(sorted(changed)))
    while isinstance(place[key], dict | list) and place[key] and data.draw(st.booleans()):
        place = place[key]
        key = data.draw(st.sampled_from(sorted(place) if isinstance(place, dict) else [0]))
    place[key] = data.draw(_ANYTHING)
    path = tmp_path_factory.mktemp("mutated") / "c.jsonl"
    path.write_text(json.dumps(changed) + '\n{"text": "good", "label": "a"}')

    records = read_corpus(path, columns=Columns(split=""))
    accepted = [(r.text, r.label) for r in records if isinstance(r, LabelledText)]
    assert ("good", "a") in accepted


@pytest.mark.parametrize("name", ["c.json", "c.jsonl", "c.csv"])
def test_annotators_of_a_flat_export_may_disagree_too(tmp_path: Path, name: str) -> None:
    answers = [
        (1, "sweet"), (2, "sour"), (1, "sour"), (3, "sweet"), (2, "sour"), (4, ""), (4, "sour"),
        (5, '{"choices": ["sour", "sweet"]}'), (5, '{"choices": ["sour", "sweet"]}'), (1, "sweet"),
    ]  # fmt: skip
    rows = [
        {"id": task, "text": f"text {task}", "taste": taste, "annotation_id": n, "annotator": n}
        for n, (task, taste) in enumerate(answers)
    ]
    if name == "c.csv":
        with (tmp_path / name).open("w", newline="") as file:
            table = csv.DictWriter(file, list(rows[0]))
            table.writeheader()
            table.writerows(rows)
        records = list(read_corpus(tmp_path / name))
        labels = [(r.text, r.label) for r in records if isinstance(r, LabelledText)]
        reasons = [r.reason for r in records if isinstance(r, Refusal)]
    else:
        labels, reasons = read(tmp_path, rows, name)

    assert labels == [("text 2", "sour"), ("text 3", "sweet"), ("text 4", "sour")]
    assert reasons == [
        "its annotators disagree: 'sweet', 'sour'; settle it in the tool first",
        "2 labels; a field has one",
    ]


def test_rows_with_the_id_of_another_text_are_no_further_annotations(tmp_path: Path) -> None:
    rows = [{"id": 1, "text": text, "label": "a", "annotation_id": 1} for text in ("one", "two")]

    assert read(tmp_path, rows) == ([("one", "a"), ("two", "a")], [])


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("['a']", "['a', 'b']"),
        ('[""a""]', '[""a"", ""b""]'),
        ("['a']", "['a' 'b']"),
        ('[""a""]', "[ 'a'\n 'b' ]"),
    ],
)
@pytest.mark.parametrize("columns", [Columns(), Columns(labels={"topic": "topic"})])
def test_argilla_as_csv_gives_what_was_submitted(
    tmp_path: Path, one: str, two: str, columns: Columns
) -> None:
    (tmp_path / "c.csv").write_text(
        "id,status,text,topic.responses,topic.responses.users,topic.responses.status\n"
        f"1,completed,one,\"{one}\",['u'],['submitted']\n"
        f"2,completed,two,\"{two}\",\"['u', 'v']\",\"['draft' 'submitted']\"\n"
        f"3,completed,three,\"{two}\",\"['u', 'v']\",\"['submitted', 'submitted']\"\n"
        "4,pending,four,,,\n5,pending,five,[],[],[]\n"
    )

    records = list(read_corpus(tmp_path / "c.csv", columns=columns))

    labels = [(r.text, r.label) for r in records if isinstance(r, LabelledText)]
    assert labels == [("one", "a"), ("two", "b"), ("four", None), ("five", None)]
    (refusal,) = [r for r in records if isinstance(r, Refusal)]
    assert "its annotators disagree: 'a', 'b'" in refusal.reason


def test_labels_of_parts_of_a_text_are_none_of_the_whole(tmp_path: Path) -> None:
    span = {"start": 0, "end": 3, "text": "one", "labels": ["PER"]}
    result = [{"type": "labels", "from_name": "ner", "value": span}]
    flat = {"text": "one", "id": 1, "annotation_id": 5, "annotator": 1}
    rows = [
        {"id": 1, "data": {"text": "one"}, "annotations": [{"result": result}]},
        {**flat, "label": [span]},
        {**flat, "id": 2, "label": json.dumps([span])},
        task("four", {"taste": ["sweet"]}),
    ]
    rows[-1]["annotations"][0]["result"].extend(result)

    labels, reasons = read(tmp_path, rows)

    assert labels == [("four", "sweet")]
    assert reasons == ["its labels are of parts of the text (spans), not of the whole"] * 3


@pytest.mark.parametrize("annotations", [[], [{"was_cancelled": True, "result": []}]])
def test_a_label_that_is_known_of_a_task_is_no_answer(
    tmp_path: Path, annotations: list[dict[str, Any]]
) -> None:
    data = {"text": "one", "label": "its own"}
    rows = [
        {"id": 1, "data": data, "annotations": annotations},
        {"fields": data, "responses": {}},
        {"options": [{"id": "a"}], "accept": [], "answer": "accept", **data},
    ]

    assert read(tmp_path, rows) == ([("one", None)] * 3, [])


def test_a_text_that_was_accepted_under_several_labels_in_prodigy_is_refused(
    tmp_path: Path,
) -> None:
    answers = [
        (1, "a", "accept"), (2, "a", "accept"), (1, "b", "reject"), (2, "b", "accept"),
        (1, "a", "accept"), (3, "c", "accept"),
    ]  # fmt: skip
    rows = [
        {"text": f"text {n}", "_input_hash": n, "label": label, "answer": answer}
        for n, label, answer in answers
    ]

    labels, reasons = read(tmp_path, rows)

    assert labels == [("text 1", "a"), ("text 3", "c")]
    assert reasons == [
        "the answer is 'reject'",
        "accepted under several labels, 'a', 'b'; a field has one",
    ]


def test_texts_that_were_guarded_against_spreadsheets_come_back_as_they_were(
    tmp_path: Path,
) -> None:
    (tmp_path / "c.csv").write_text(
        "document_id,id,label,guarded,text\n1,a,'=x,text label,'=1+1\n2,b,'b,,'quoted\n"
    )

    records = labelled_texts(read_corpus(tmp_path / "c.csv"))

    assert [(r.text, r.label) for r in records] == [("=1+1", "=x"), ("'quoted", "'b")]
