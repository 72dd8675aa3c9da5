"""JSON: lines, arrays, and objects one after the other."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lexiclass import InvalidParameters, LabelledText, Refusal, read_corpus
from lexiclass.corpora import Columns, CorpusSummary
from tests.support.records import Read, Record, labelled_texts

RECORDS = [{"text": f"a note {n}", "label": "ab"[n % 2]} for n in range(6)]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    def read(content: bytes | str, name: str = "c.jsonl", **options: Any) -> list[Record]:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return list(read_corpus(path, **options))

    return read


def texts(records: Iterable[Record]) -> list[str]:
    return [record.text for record in records if isinstance(record, LabelledText)]


def refused(records: Iterable[Record]) -> dict[str, str]:
    return {r.where: r.reason for r in records if isinstance(r, Refusal)}


def lines(*records: Any) -> str:
    return "\n".join(json.dumps(record) for record in records) + "\n"


@pytest.mark.parametrize("name", ["c.json", "c.jsonl", "c.ndjson"])
@pytest.mark.parametrize(
    "content",
    [
        lines(*RECORDS),
        json.dumps(RECORDS),
        json.dumps(RECORDS, indent=2),
        "[\n" + ",\n".join(map(json.dumps, RECORDS)) + "\n]\n",
        "[" + ",\n".join(map(json.dumps, RECORDS)) + "]",
        "[\n  " + "\n, ".join(map(json.dumps, RECORDS)) + "\n]",
        "[\n" + ",\n".join(json.dumps(RECORDS[n : n + 2])[1:-1] for n in (0, 2, 4)) + "\n]",
        ",\n".join(map(json.dumps, RECORDS)),
        ",\r\n".join(map(json.dumps, RECORDS)) + ",\r\n",
        "\n".join(json.dumps(record, indent=2) for record in RECORDS),
        "".join(map(json.dumps, RECORDS)),
    ],
    ids=[
        "lines",
        "array",
        "indented array",
        "array of lines",
        "array of lines, brackets beside",
        "commas in front",
        "array of lines of two",
        "commas",
        "a last comma",
        "indented",
        "without a gap",
    ],
)
def test_objects_come_in_many_forms(read: Read, name: str, content: str) -> None:
    records = labelled_texts(read(content, name))
    assert [(r.text, r.label) for r in records] == [(r["text"], r["label"]) for r in RECORDS]
    assert len({r.where for r in records}) == sum("a note" in e for e in content.splitlines())


def test_a_broken_array_is_refused_naming_the_line(read: Read) -> None:
    broken = json.dumps(RECORDS, indent=2).replace('"label": "b"', '"label": b', 1)
    with pytest.raises(InvalidParameters, match=r"c\.json is no JSON: line 8: Expecting value"):
        read(broken, "c.json")
    with pytest.raises(InvalidParameters, match=r"the array is not closed|expected , or"):
        read(json.dumps(RECORDS, indent=2).rstrip("]\n"), "c.json")


def test_in_an_array_of_lines_a_broken_one_costs_itself(read: Read) -> None:
    content = "[\n" + ",\n".join(map(json.dumps, RECORDS)) + "\n]\n"
    records = read(content.replace('"label": "b"', '"label": b', 1), "c.json")
    assert len(texts(records)) == 5
    assert list(refused(records)) == ["c.json:3"]


def test_an_array_of_lines_that_was_cut_off_is_said(read: Read) -> None:
    records = read("[\n" + ",\n".join(map(json.dumps, RECORDS[:3])) + ",\n", "c.json")
    assert len(texts(records)) == 3
    assert refused(records) == {
        "c.json:4": "the array is not closed behind this line: was the file cut off?"
    }


def test_a_file_whose_texts_have_another_key_says_which_it_has(read: Read) -> None:
    records = read('{"content": "one", "label": "a"}\n')
    assert refused(records) == {
        "c.jsonl:1": "no 'text' among its keys, 'content', 'label'; see --text-column"
    }


@pytest.mark.parametrize(
    "label", ["\\N", "<NA>", "NaT", "nan", "None", "-", "NULL", "#N/A", "(none)", "–"]
)
def test_labels_that_look_like_none_are_warned_of(read: Read, label: str) -> None:
    summary = CorpusSummary()
    list(summary.watch(read(lines({"text": "one", "label": label}))))
    assert any(f"1 labels look like none: {label!r}" in each for each in summary.warnings())


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ('{\n"text": "one",\n"label": five\n}', r"line 3: Expecting value, found 'five'"),
        ("{'text': 'one'}\n", r"in double quotes, found \"'text': 'one'}\""),
        ('[{"text": "one", "label": ', r"line 1: Expecting value, found the end"),
    ],
)
def test_what_is_no_json_is_shown(read: Read, content: str, found: str) -> None:
    with pytest.raises(InvalidParameters, match=found):
        read(content, "c.jsonl")


def test_a_file_of_something_else_says_what_it_begins_with(read: Read) -> None:
    records = read("text,label\none,a\n", "c.jsonl")
    assert refused(records) == {
        "c.jsonl:1": "no JSON: Expecting value, found 't'",
        "c.jsonl:2": "no JSON: Expecting value, found 'o'",
    }


@pytest.mark.parametrize(
    "content", ['[{"text": "a", "label": "b"}]', '{"text": "a", "label": "b"}\n']
)
def test_the_end_mark_of_dos_is_no_value(read: Read, content: str) -> None:
    assert texts(read(content + "\x1a", "c.json")) == ["a"]


def test_a_long_array_is_read_piece_by_piece(read: Read) -> None:
    many = [{"text": "x" * 5000 + str(n), "label": "a"} for n in range(300)]
    assert texts(read(json.dumps(many), "c.json")) == [r["text"] for r in many]


@pytest.mark.parametrize("before", ["", "\ufeff", "\n \r\n\t"])
def test_an_array_in_a_line_of_any_length_is_read(
    read: Read, monkeypatch: pytest.MonkeyPatch, before: str
) -> None:
    monkeypatch.setattr("lexiclass.corpora.text_files._SHORTEST_LIMIT", 1000)
    many = [{"text": f"text {n}", "label": "a"} for n in range(300)]

    records = read(before + json.dumps(many), "c.json", max_bytes=100)

    assert texts(records) == [each["text"] for each in many]


@pytest.mark.parametrize("first", ["", '{"text": "a", "label": "b"}\n'])
def test_a_long_line_that_is_no_array_is_refused(
    read: Read, monkeypatch: pytest.MonkeyPatch, first: str
) -> None:
    monkeypatch.setattr("lexiclass.corpora.text_files._SHORTEST_LIMIT", 1000)
    long = json.dumps({"text": "x" * 1000, "label": "a"})
    with pytest.raises(InvalidParameters, match="the line has more than 1,000 characters"):
        read(first + long, "c.json", max_bytes=100)


@pytest.mark.parametrize("keys", [("text", "label"), ("Text", "LABEL"), (" text ", "label")])
def test_keys_are_found_in_any_case(read: Read, keys: tuple[str, str]) -> None:
    content = lines(*({keys[0]: r["text"], keys[1]: r["label"]} for r in RECORDS))
    assert [r.label for r in labelled_texts(read(content))] == ["a", "b"] * 3


def test_two_keys_that_differ_in_case_only_are_refused(read: Read) -> None:
    assert (
        "is there 2 times"
        in refused(read(lines({"text": "x", "Text": "y", "label": "a"})))["c.jsonl:1"]
    )
    twice = '{"text": "x", "text": "y", "label": "a"}\n{"text": "z", "label": "a"}\n'
    assert refused(read(twice)) == {"c.jsonl:1": "the key 'text' is there twice"}


@pytest.mark.parametrize("key", ["Category", "class"])
def test_a_file_without_the_key_of_the_labels_names_those_it_has(read: Read, key: str) -> None:
    content = lines(*({"text": r["text"], key: r["label"]} for r in RECORDS))
    with pytest.raises(InvalidParameters, match=rf"key 'label'; keys found: 'text', '{key}'"):
        read(content)
    columns = Columns(labels={"topic": key.lower()})
    records = labelled_texts(read(content, columns=columns))
    assert [r.label for r in records] == ["a", "b"] * 3


def test_texts_alone_are_read_and_said_to_have_no_label(read: Read) -> None:
    summary = CorpusSummary()
    list(summary.watch(read(lines({"text": "one"}, {"text": "two", "id": 2}))))
    assert "2 of 2 documents (100%) have no label" in summary.warnings()


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("1", "1"), ("1.0", "1"), ("-0.0", "0"), ("0.5", "0.5"), ("true", "true"),
        ("false", "false"), ("null", None), ("NaN", None), ('["x"]', "x"), ("[1.0]", "1"),
        ("[]", None), ('" x "', "x"), ('"1.0"', "1"), ('"01"', "01"), ('"e\\u0301"', "é"),
        ("12345678901234567890", "12345678901234567890"), ('"\\ufeffx"', "x"),
    ],
)  # fmt: skip
def test_labels_are_one_name_for_each_class(read: Read, label: str, name: str | None) -> None:
    (record,) = labelled_texts(read(f'{{"text": "x", "label": {label}}}\n'))
    assert record.label == name


@pytest.mark.parametrize(
    ("label", "reason"),
    [
        ("Infinity", "infinite"), ('["a", "b"]', "2 labels; a field has one"), ("{}", "neither"),
        ('"a\\u0000"', "NUL"), ('"a\\tb"', "control"), ('"\\ud800"', "surrogate"),
        ("9" * 5000, "no JSON"),
    ],
)  # fmt: skip
def test_labels_that_are_no_class_are_refused(read: Read, label: str, reason: str) -> None:
    records = read(f'{{"text": "x", "label": {label}}}\n{{"text": "y", "label": 1}}\n')
    assert reason in refused(records)["c.jsonl:1"]
    assert texts(records) == ["y"]


def test_one_bad_byte_costs_no_other_line(read: Read) -> None:
    good = lines(*({"text": "die grüne Tür", "label": "a"} for _ in range(9))).encode()
    good = good.replace(b"\\u00fc", "ü".encode())
    records = read(good + b'{"text": "a caf\xe9", "label": "b"}\n' + good)
    assert texts(records)[8:11] == ["die grüne Tür", "a café", "die grüne Tür"]
    array = b"[" + b",\n".join((good + b'{"text": "a caf\xe9", "label": "b"}').splitlines()) + b"]"
    assert texts(read(array, "c.json"))[8:] == ["die grüne Tür", "a café"]


@given(values=st.lists(st.text(alphabet=st.sampled_from('{}[]",:\\\n é\u2028x'), max_size=8)))
def test_any_text_comes_back_from_any_form(
    values: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    records = [{"text": f"x{value}", "label": "a"} for value in values]
    path = tmp_path_factory.mktemp("json")
    forms = {
        "a.json": json.dumps(records, ensure_ascii=False),
        "b.json": json.dumps(records, indent=1, ensure_ascii=False),
        "c.jsonl": "".join(json.dumps(r, ensure_ascii=False) + "\n" for r in records),
    }
    for name, content in forms.items():
        (path / name).write_text(content, encoding="utf-8", newline="")
        assert texts(read_corpus(path / name)) == [record["text"] for record in records]


@pytest.mark.parametrize("form", ["{}\n{}\n{}\n", "[{},{},{}]", "[\n  {},\n  {},\n  {}\n]"])
@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("[" * 3000 + '"]"' + "]" * 3000, "no JSON: nested too deeply"),
        ('{"a\\"":' * 3000 + "1" + "}" * 3000, "no JSON: nested too deeply"),
        ("9" * 5000, "no JSON: a number of too many digits"),
    ],
)
def test_a_value_without_end_costs_its_record(
    read: Read, form: str, value: str, reason: str
) -> None:
    good = '{"text": "one", "label": "a"}'
    bad = '{"text": "x", "label": ' + value + "}"
    records = read(form.replace("{}", "%s") % (good, bad, good), "c.json")
    assert texts(records) == ["one", "one"]
    assert list(refused(records).values()) == [reason]


def test_keys_that_are_there_twice_take_no_time_that_grows_with_their_square(
    read: Read,
) -> None:
    twins = '"k": 1, "j": 2, ' * 200_000
    (record,) = labelled_texts(read("{" + twins + '"text": "one", "label": "a"}\n'))
    assert record.text == "one"


@pytest.mark.parametrize("name", ["c.jsonl", "c.csv"])
def test_a_name_with_marks_without_end_is_compared_at_once(read: Read, name: str) -> None:
    many = "e" + "\u0301\u0323" * 500_000
    content = {
        "c.jsonl": json.dumps({many: 1, "text": "one", "label": "a"}),
        "c.csv": f"{many},text,label\n1,one,a\n",
    }[name]
    assert texts(read(content, name)) == ["one"]
