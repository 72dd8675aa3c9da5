"""Tables: a row is never lost silently, whatever bytes, quotes and line ends are in them."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lexiclass import InvalidParameters, LabelledText, Refusal, read_corpus
from lexiclass.corpora import Columns, CorpusSummary
from tests.support.records import Read, Record, labelled_texts
from tests.support.variants import examples


@pytest.fixture
def read(tmp_path: Path) -> Read:
    def read(content: bytes | str, name: str = "c.csv", **options: Any) -> list[Record]:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return list(read_corpus(path, **options))

    return read


def texts(records: Iterable[Record]) -> list[str]:
    return [record.text for record in records if isinstance(record, LabelledText)]


def labels(records: Iterable[Record]) -> list[str | None]:
    return [record.label for record in records if isinstance(record, LabelledText)]


def refused(records: Iterable[Record]) -> dict[str, str]:
    return {r.where: r.reason for r in records if isinstance(r, Refusal)}


# Bytes


def test_one_bad_byte_far_down_costs_no_row_and_no_other_encoding(read: Read) -> None:
    rows = [b"the kettle number %d stands on the shelf,kitchen\n" % n for n in range(3000)]
    records = read(b"text,label\n" + b"".join(rows) + b"a caf\xe9 table,kitchen\n" + b"".join(rows))
    assert len(texts(records)) == 6001
    assert texts(records)[3000] == "a café table"
    assert records[3000].where == "c.csv:3002"


def test_one_bad_byte_is_no_reason_to_read_utf8_as_something_else(read: Read) -> None:
    good = "".join(f"die grüne Tür Nummer {n} öffnet sich,a\n" for n in range(50)).encode()
    records = read(b"text,label\n" + good + b"a caf\xe9 table,b\n" + good)
    assert texts(records)[0] == "die grüne Tür Nummer 0 öffnet sich"
    assert texts(records)[50] == "a café table"
    assert [r.encoding for r in labelled_texts(records[49:52])] == ["utf-8", "cp1252", "utf-8"]
    summary = CorpusSummary()
    list(summary.watch(records))
    assert summary.encodings == {"utf-8": 100, "cp1252": 1}
    assert "in another encoding than the rest of the file: 1 document, first c.csv:52" in (
        summary.warnings()
    )


@pytest.mark.parametrize("num_others", [1, 3, 10, 20, 40])
@pytest.mark.parametrize(
    ("text", "page"),
    [
        ("città perché", "cp1252"),
        ("Fußgänger überqueren", "cp1252"),
        ("zważywszy, że są", "cp1250"),
        ("принимая во внимание", "cp1251"),
    ],
)
def test_a_file_of_rows_of_two_encodings_is_read_row_by_row(
    read: Read, text: str, page: str, num_others: int
) -> None:
    rows = [f'"{text} {n}",a\n' for n in range(10 + num_others)]
    data = [row.encode("utf-8" if n < 10 else page) for n, row in enumerate(rows)]
    records = read(b"text,label\n" + b"".join(data[::2] + data[1::2]))
    assert sorted(texts(records)) == sorted(f"{text} {n}" for n in range(len(rows)))
    assert {r.encoding for r in labelled_texts(records)} == {"utf-8", page}


def test_characters_of_utf8_that_are_cut_make_no_other_language_of_their_rows(
    read: Read,
) -> None:
    rows = "".join(f"naïve {n},a\n" for n in range(5)).encode()
    records = read(b"text,label\n" + rows + b"tr\xc3uncated,b\nx\xe2\x82,b\n")
    assert texts(records)[5:] == ["trÃuncated", "xâ‚"]
    assert [r.encoding for r in labelled_texts(records[4:])] == ["utf-8", "cp1252", "cp1252"]


@pytest.mark.parametrize("short", ["联", "通", "上", "十二"])
def test_short_rows_of_a_code_page_are_no_utf8(read: Read, short: str) -> None:
    rows = ["鉴于为使人类不致迫不得已", "铤而走险对暴政和压迫进行反叛", "今天天气很好", short]
    records = read(("text,label\n" + ",a\n".join([*rows * 9, ""])).encode("gb18030"))
    assert set(texts(records)) == set(rows)


def test_a_bad_byte_in_a_row_of_utf8_is_replaced_and_said(read: Read) -> None:
    records = read("text,label\ndie grüne Tür,a\n".encode() + "é-é-é ".encode() + b"\xff,b\n")
    assert texts(records) == ["die grüne Tür", "é-é-é \ufffd"]
    summary = CorpusSummary()
    list(summary.watch(records))
    assert (summary.num_replaced, summary.as_json()["replaced"]) == (1, ["c.csv:3"])


def test_a_label_with_bytes_that_are_no_text_is_no_class(read: Read) -> None:
    head = "text,label\n" + "Größe,über\n" * 5
    records = read(head.encode() + "Maß,üü".encode() + b"\xff\n")
    assert refused(records) == {"c.csv:7": "the label has bytes that are no text in its encoding"}


@pytest.mark.parametrize(
    "encoding",
    ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252", "iso2022_jp"],
)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("name", ["c.csv", "c.jsonl"])
def test_a_file_is_decoded_before_it_is_cut_into_lines(
    read: Read, encoding: str, end: str, name: str
) -> None:
    # U+4E0A has the byte 0x0A in UTF-16.
    word = {"cp1252": "Überfälle", "iso2022_jp": "上の階"}.get(encoding, "上 Überfälle \u2028 上")
    rows = {
        "c.csv": ["text,label", *(f"{word} {n},{word[:2]}" for n in range(20))],
        "c.jsonl": [f'{{"text": "{word} {n}", "label": "{word[:2]}"}}' for n in range(20)],
    }[name]
    records = read(end.join([*rows, ""]).encode(encoding), name)
    assert texts(records) == [f"{word} {n}" for n in range(20)]
    assert set(labels(records)) == {word[:2].strip()}


def test_a_nul_costs_its_row(read: Read) -> None:
    records = read(b"text,label\n" + b"good text,a\n" * 20 + b"b\0d,a\n" + b"good text,a\n")
    assert len(texts(records)) == 21
    assert refused(records) == {"c.csv:22": "the text has a NUL character, which no text has"}


def test_a_byte_that_no_code_page_has_in_that_place_costs_its_row_at_most(
    read: Read,
) -> None:
    records = read(b"text,label\n" + b"good text,a\n" * 20 + b"a\x81\x8d\x9db\xffc,a\n")
    assert len(records) == 21
    assert texts(records)[:20] == ["good text"] * 20


# Quotes


@pytest.mark.parametrize("name", ["c.tsv", "C.TSV"])
def test_quotes_are_text_between_tabs(read: Read, name: str) -> None:
    rows = ['"grand opening', '"so good" they said', 'a 15" screen', '"', '""']
    table = "text\tlabel\n" + "".join(f"{row}\ta\n" for row in rows)
    assert texts(read(table, name)) == rows


@pytest.mark.parametrize("line", [1, 300, 1000])
@pytest.mark.parametrize("later", ["", '"so good" they said', 'a "word" within', '"quoted, well"'])
def test_an_unclosed_quote_costs_its_line(read: Read, line: int, later: str) -> None:
    rows = [f"an unremarkable row number {n}" for n in range(1, 1001)]
    rows[line - 1] = '"grand opening of row ' + str(line)
    if later and line < 900:
        rows[900] = later
    records = read("text,label\n" + "".join(f"{row},pos\n" for row in rows))
    assert len(records) == 1000
    assert f"c.csv:{line + 1}" in refused(records)
    assert set(refused(records)) <= {f"c.csv:{line + 1}", "c.csv:902"}
    assert max(map(len, texts(records))) < 40


def test_a_quote_that_ends_at_an_inch_sign_swallows_no_rows(read: Read) -> None:
    rows = ["row one,tv", '"grand opening,tv', "row two,tv", 'a screen of 15",tv', "row three,tv"]
    records = read("text,label\n" + "\n".join(rows) + "\n")
    assert texts(records) == ["row one", "row two", 'a screen of 15"', "row three"]
    assert list(refused(records)) == ["c.csv:3"]


@pytest.mark.parametrize(
    ("rows", "opens"),
    [
        (['"open at the first row,a', "second,b", 'third 5",c', "fourth,a"], 2),
        (["one,a", '"open,a', "a new label,zz", 'a screen of 5",b', "last,a"], 3),
        ([*(f"row {n},{n}" for n in range(4)), '"open,77', "r,78", 'r 3",79', "z,80"], 6),
        (["w,a", "v,b", '"6 ft tall,a', "red,b", "", "short", 'baz 5",b', "q,a"], 4),
        (["w,a", '"open,c', "red,d", "", 'baz 5",e', "q,a"], 3),
        (["w,a", '"open,c', "red,d", "short", 'baz 5",e', "q,a"], 3),
        (['"open,a', "", 'third 5",b'], 2),
        (['x,"a', "y,b", 'z 5",b', "q,a"], 2),
        (['x,"a', "y,b", 'z,b"', "q,a"], 2),
        (['"x,a', "y,b", 'z,b"', "q,a"], 2),
        (['x,y,"a', "y,b", 'z 5",b', "q,a"], 2),
    ],
)
@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_rows_that_an_open_quote_swallows_are_read_or_refused(
    read: Read, rows: list[str], opens: int, mark: str
) -> None:
    table = "\n".join(["text,label", *rows, ""]).replace(",", mark)
    records = read(table)
    assert list(refused(records)) == [f"c.csv:{opens}"]
    assert len(records) == len([row for row in rows if row])


def test_where_classes_are_settled_lines_of_none_are_text(read: Read) -> None:
    rows = [f"row {n},{'ab'[n % 2]}" for n in range(40)]
    code = '"f(a,b)\ng(c,d)",a'
    swallowed = ['"open,a', "a new label,zz", 'a screen of 5",b']
    records = read("\n".join(["text,label", *rows, code, *swallowed, ""]))
    assert texts(records)[40:] == ["f(a,b)\ng(c,d)", "a new label", 'a screen of 5"']
    assert list(refused(records)) == ["c.csv:44"]


def test_rows_without_labels_are_swallowed_by_no_quote(read: Read) -> None:
    records = read('text,id\n"open,1\nfoo,2\nbar 5",3\nbaz,4\n', labelled=False)
    assert (texts(records), list(refused(records))) == (["foo", 'bar 5"', "baz"], ["c.csv:2"])


def test_an_id_with_an_open_quote_swallows_no_row(read: Read) -> None:
    records = read('id,text,label\n"1,foo,a\n2,bar,b\n3,baz,b"\n4,q,a\n')
    assert (texts(records), list(refused(records))) == (["bar", "baz", "q"], ["c.csv:2"])


@pytest.mark.parametrize(
    "text",
    [
        "Dear Sir, a\nregards",
        "Dear Sir,\n\nthanks for all, and so on,\n\nTom",
        "one\n\ntwo",
        "Hello, Tom\nBye, Ann",
        "a,b,c\nd,e,f",
        "some text\na,b\nmore of it",
    ],
)
@pytest.mark.parametrize("form", ['"{}",a', '"{}","a"', 'a,"{}"'])
def test_a_text_of_several_lines_stays_one(read: Read, text: str, form: str) -> None:
    header = "label,text" if form.startswith("a") else "text,label"
    records = read(f"{header}\nx,x\n{form.format(text)}\nx,x\n")
    assert (texts(records), refused(records)) == (["x", text, "x"], {})


@pytest.mark.parametrize("text", ["f(a,b)\ng(c,d)", "a,b\nc"])
def test_where_all_is_in_quotes_a_line_without_is_no_row(read: Read, text: str) -> None:
    records = read(f'"text","label"\n"x","a"\n"{text}","b"\n')
    assert texts(records) == ["x", text]


def test_a_row_of_several_lines_that_hold_no_row_is_refused_as_one(
    read: Read,
) -> None:
    records = read('text,label\n"one\ntwo",a,b\n"\n\n",a\nx,"a\nb"\nlast,a\n')
    assert list(refused(records)) == ["c.csv:2-3", "c.csv:4", "c.csv:7"]
    assert texts(records) == ["last"]


@pytest.mark.parametrize("end", ["\x1a", "\x1a\r\n", "\x1a\x1a\x1a"])
@pytest.mark.parametrize("last", ["two,b\r\n", "two,b"])
def test_the_end_mark_of_dos_is_no_row(read: Read, end: str, last: str) -> None:
    records = labelled_texts(read(f"text,label\r\none,a\r\n{last}{end}"))
    assert [(r.text, r.label) for r in records] == [("one", "a"), ("two", "b")]


def test_lines_in_quotes_that_could_be_rows_are_told_of(read: Read) -> None:
    rows = [f"row {n},{'ab'[n % 2]}" for n in range(40)]
    swallowed = ['"open,c', "a new label, zz", 'a screen of 5",d', "last,a"]
    records = read("\n".join(["text,label", *rows, *swallowed, ""]))
    assert texts(records)[40:] == ["open,c\na new label, zz\na screen of 5", "last"]
    summary = CorpusSummary()
    list(summary.watch(records))
    (warning,) = [each for each in summary.warnings() if "in quotes" in each]
    assert warning.endswith("is the quote closed?: 1 document, first c.csv:42-44")
    assert list(summary.as_json()["remarked"].values()) == [["c.csv:42-44"]]


def test_text_of_several_lines_that_look_like_rows_of_no_class_stays_one_text(
    read: Read,
) -> None:
    address = "Anna Berg, Oslo\nHill Road 1, Bergen\nSea Road 2, Molde"
    records = read(f'text,label\nplain,letter\n"{address}",letter\nmore,letter\n')
    assert texts(records) == ["plain", address, "more"]


def test_lines_are_counted_as_they_lie_in_the_file(read: Read) -> None:
    table = 'text,label\n"one\ntwo\r\nthree",a\n\n\nbad,a,a\n"x"y,a\nlast,a\n'
    records = read(table)
    assert [r.where for r in records] == ["c.csv:2", "c.csv:7", "c.csv:8", "c.csv:9"]


def test_a_quote_left_open_for_longer_than_memory_is_to_hold_names_its_line(
    read: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lexiclass.corpora.text_files._SHORTEST_LIMIT", 1000)
    with pytest.raises(InvalidParameters, match=r"c\.csv:3: .*if a quote opens here"):
        read("text,label\nfine,a\n" + '"open,a\n' + "plain text,a\n" * 1000, max_bytes=100)


def test_a_line_longer_than_memory_is_to_hold_is_named(
    read: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lexiclass.corpora.text_files._SHORTEST_LIMIT", 1000)
    with pytest.raises(InvalidParameters, match=r"c\.csv:2: the line has more than 1,000"):
        read("text,label\n" + "x" * 5000 + ",a\n", max_bytes=100)


def test_a_field_of_several_lines_that_is_too_large_costs_one_row(read: Read) -> None:
    records = read('text,label\n"' + "long\n" * 100 + '",a\nfine,a\n', max_bytes=200)
    assert (texts(records), refused(records)) == (["fine"], {"c.csv:2": "too large"})


# Headers and delimiters


@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
@pytest.mark.parametrize("name", ["c.csv", "c.txt"])
def test_the_delimiter_is_the_one_under_which_the_header_has_the_columns(
    read: Read, mark: str, name: str
) -> None:
    table = f" Text {mark}LABEL{mark}note, or not\nfour; five, six{mark}a{mark}x\n"
    if mark in ",;":
        table = table.replace("four; five, six", '"four; five, six"').replace("note, or not", "n")
    assert texts(read(table, name)) == ["four; five, six"]


@pytest.mark.parametrize("first", ["sep=;", '"sep=;"', "SEP=;", "sep=;;"])
def test_what_excel_says_of_the_delimiter_is_obeyed(read: Read, first: str) -> None:
    assert texts(read(f"{first}\ntext;label\none, two;a\n")) == ["one, two"]


def test_utf16_with_tabs_as_excel_writes_it(read: Read) -> None:
    table = 'text\tlabel\r\n"a ""quoted"" tab\there"\tsport\r\n'.encode("utf-16")
    assert texts(read(table, "c.txt")) == ['a "quoted" tab\there']


@pytest.mark.parametrize("header", ["text,label,text", "text,Label, LABEL", "text,label,TEXT"])
def test_a_column_that_is_there_twice_is_named(read: Read, header: str) -> None:
    with pytest.raises(InvalidParameters, match="is there 2 times, as"):
        read(f"{header}\none,a,two\n")


def test_columns_that_are_not_used_may_be_called_the_same(read: Read) -> None:
    assert texts(read("text,label,,\none,a,,\n")) == ["one"]


def test_columns_are_named_whatever_their_case(read: Read) -> None:
    columns = Columns("Content", {"topic": "CATEGORY"}, "use", "key")
    records = labelled_texts(read("key,content,Category,Use\n7,one,a,test\n", columns=columns))
    assert [(r.text, r.labels, r.split, r.id) for r in records] == [
        ("one", {"topic": "a"}, "test", "7")
    ]


def test_a_column_that_was_asked_for_and_is_not_there_is_named(read: Read) -> None:
    with pytest.raises(InvalidParameters, match=r"no column use.*--split-column"):
        read("text,label\none,a\n", columns=Columns(split="use"))


def test_a_split_column_can_be_left_aside(read: Read) -> None:
    records = read("text,label,split\none,a,left half\n", columns=Columns(split=""))
    assert texts(records) == ["one"]


def test_several_fields_come_from_one_table(read: Read) -> None:
    columns = Columns(labels={"topic": "topic", "tone": "mood"})
    (record,) = labelled_texts(read("text,topic,mood\none,a,\n", columns=columns))
    assert record.labels == {"topic": "a", "tone": None}


def test_a_row_that_ends_early_is_said(read: Read) -> None:
    summary = CorpusSummary()
    list(summary.watch(read("text,label\none,a\nonly a text\n")))
    assert any(w.startswith("fewer columns than the first line: 1") for w in summary.warnings())


# Anything

_PIECES = [b'"', b",", b"\n", b"\r\n", b"\r", b"a", b" ", b"\xe9", b"\xc3\xbc", b"\xff", b"x"]


@given(content=st.lists(st.sampled_from(_PIECES), max_size=60).map(b"".join))
@example(content=b'"a\n"b,"\nc"')
def test_each_line_of_a_table_is_told_of_or_lies_in_a_quoted_field(
    content: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("table") / "c.csv"
    path.write_bytes(b"text,label\n" + content)
    records = {lines_of(record)[0]: record for record in read_corpus(path)}
    lines = io.StringIO(path.read_bytes().decode("latin-1"), newline="").readlines()
    assert list(records) == sorted(records)
    within = None
    for number, line in enumerate(lines[1:], start=2):
        if number in records:
            within = records[number]
        elif line.strip("\r\n"):
            assert within is not None
            assert "quote" not in getattr(within, "reason", "")


def lines_of(record: LabelledText | Refusal) -> range:
    first, _, last = record.where.partition(":")[2].partition("-")
    return range(int(first), int(last or first) + 1)


_TEXTS = st.sampled_from(["one", "x y", "é", "上の階", "and so on", 'a 5" screen', "one, two"])
_LABELS = st.sampled_from(["a", "b", "zz", "new label", "é"])
# Beside these a row may lack its last column and have an open quote, or have too many and such a
# quote: with the lines behind it, it is a text of several lines by all that one can tell.
_WRITTEN: dict[str, Callable[[str, str], str]] = {
    "as it is": lambda text, label: f"{_quoted(text)},{_quoted(label)}",
    "all in quotes": lambda text, label: f'"{text.replace(QUOTE, QUOTE * 2)}","{label}"',
    "opens at the first": lambda text, label: f'"{_plain(text)},{label}',
    "opens at the last": lambda text, label: f'{_plain(text)},"{label}',
    "ends in a quote": lambda text, label: f'{_plain(text)},{label}"',
    "an inch sign": lambda text, label: f'{_plain(text)} 5",{label}',
    "several lines": lambda text, label: f'"so {_plain(text)}\nand {_plain(text)}\n",{label}',
    "several lines with commas": lambda text, label: f'"a, {_plain(text)},\nand b, c\n",{label}',
    "no label": lambda text, _: _quoted(text),
    "too many": lambda text, label: f"{_quoted(text)},{label},z",
    "a bad byte": lambda text, label: f"{_plain(text)} \udcff,{label}",
}
QUOTE = '"'


def _encoded(character: str, encoding: str) -> bytes:
    return character.encode(encoding, "ignore") or (b"\xff" if character == "\udcff" else b"x")


def _plain(cell: str) -> str:
    return cell.replace(",", "").replace(QUOTE, "")


def _quoted(cell: str) -> str:
    return f'"{cell.replace(QUOTE, QUOTE * 2)}"' if {*cell} & {QUOTE, ",", "\n"} else cell


@settings(max_examples=examples(300))
@example(
    rows=[(("a", "b"), "opens at the first"), (("é", "new label"), "as it is"),
          (("c", "q"), "an inch sign")],
    encoding="utf-8", settled=True,
)  # fmt: skip
@given(
    rows=st.lists(st.tuples(st.tuples(_TEXTS, _LABELS), st.sampled_from(sorted(_WRITTEN)))),
    encoding=st.sampled_from(["utf-8", "cp1252", "shift_jis", "gb18030", "utf-16"]),
    settled=st.booleans(),
)
def test_every_record_is_a_document_or_refused_or_in_lines_that_are_named(
    rows: list[tuple[tuple[str, str], str]],
    encoding: str,
    settled: bool,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    rows = [*([(("one", "a"), "as it is")] * 30 if settled else ()), *rows]
    content, begins, line = "text,label\n", [], 2
    for cells, form in rows:
        written = _WRITTEN[form](*cells) + "\n"
        if written.strip():
            begins.append(line)
        line += written.count("\n")
        content += written
    path = tmp_path_factory.mktemp("table") / "c.csv"
    if encoding == "utf-16":
        path.write_bytes(content.replace("\udcff", "\ufffd").encode(encoding))
    else:
        path.write_bytes(b"".join(_encoded(each, encoding) for each in content))
    told = [number for record in read_corpus(path) for number in lines_of(record)]
    assert set(begins) <= set(told)


_FIELD = st.text(alphabet=st.sampled_from('ab,";\n\r\t é上 '), max_size=12)


@example(rows=[("", "a\nb,a"), ("a,b\na", "b")], encoding="utf-8")
@given(rows=st.lists(st.tuples(_FIELD, _FIELD), min_size=1, max_size=8), encoding=st.sampled_from(
    ["utf-8", "utf-16"]))  # fmt: skip
def test_what_is_written_by_the_rules_is_read_as_it_was(
    rows: list[tuple[str, str]], encoding: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n", quoting=csv.QUOTE_ALL)
    writer.writerows([("text", "note"), *rows])
    path = tmp_path_factory.mktemp("table") / "c.csv"
    path.write_bytes(out.getvalue().encode(encoding))
    records = list(read_corpus(path, labelled=False))
    assert len(records) == len(rows)
    assert texts(records) == [text for text, _ in rows if text.strip()]


def test_a_pipe_and_a_device_are_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "rows.csv")
    (tmp_path / "zeros.csv").symlink_to("/dev/zero")
    for name in ("rows.csv", "zeros.csv"):
        with pytest.raises(InvalidParameters, match="neither a folder nor a file"):
            list(read_corpus(tmp_path / name))


def test_a_file_that_is_changed_while_it_is_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "c.csv"
    path.write_text("text,label\n" + "good text,a\n" * 20_000)
    records = read_corpus(path)
    next(records)
    with path.open("a") as file:
        file.write("one more,a\n")
    with pytest.raises(InvalidParameters, match="was changed while it was read"):
        list(records)


def test_a_quote_that_stays_open_for_more_lines_than_memory_is_to_hold_costs_its_line(
    read: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lexiclass.corpora.tables._MOST_LINES", 100)
    records = read("text,label\n" + '"open,a\n' + "plain text,a\n" * 1000)
    assert len(texts(records)) == 1000
    assert refused(records) == {"c.csv:2": "opens a quote that is not closed"}


@pytest.mark.parametrize("marks", ["\u0301\u0323", "\u0301"])
def test_marks_without_end_upon_a_letter_cost_their_row(read: Read, marks: str) -> None:
    many = "e" + marks * 500_000
    records = read(f"text,label\n{many},a\none,{many}\ntwo,a\n")
    assert texts(records) == [many, "two"]
    assert refused(records) == {"c.csv:3": "the label is longer than 500 characters"}
