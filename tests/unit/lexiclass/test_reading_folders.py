"""Folders of splits and classes, test sets that lie apart, and what a summary warns of."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

import pytest

from lexiclass import InvalidParameters, LabelledText, Refusal, read_corpus
from lexiclass.corpora import Columns, CorpusSummary
from lexiclass.corpora.labels import class_name
from tests.support.records import Record, labelled_texts


def put(folder: Path, *names: Any, text: str = "a text of {name}") -> None:
    for name in names:
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text.format(name=name))


def counts(
    records: Iterable[Record],
) -> Counter[tuple[str | None, str | None]]:
    return Counter((r.label, r.split) for r in records if isinstance(r, LabelledText))


def test_train_and_test_are_splits_of_the_classes_in_them(tmp_path: Path) -> None:
    for split, classes in {"train": ("pos", "neg", "unsup"), "Test": ("pos", "neg")}.items():
        put(tmp_path, *(f"{split}/{name}/{n}.txt" for name in classes for n in range(3)))
    records = list(read_corpus(tmp_path))
    assert counts(records) == {
        ("pos", "train"): 3, ("neg", "train"): 3, ("unsup", "train"): 3,
        ("pos", "test"): 3, ("neg", "test"): 3,
    }  # fmt: skip
    assert records[0].where == "Test/neg/0.txt"


def test_a_validation_folder_is_learned_from_and_said(tmp_path: Path) -> None:
    put(tmp_path, *(f"{s}/{c}/1.txt" for s in ("train", "valid", "test") for c in ("ham", "spam")))
    summary = CorpusSummary()
    records = labelled_texts(summary.watch(read_corpus(tmp_path)))
    assert Counter(r.split for r in records) == {"train": 4, "test": 2}
    assert any("validation split" in warning for warning in summary.warnings())


def test_splits_may_hold_a_table_of_labels_each(tmp_path: Path) -> None:
    put(tmp_path, "train/1.txt", "train/2.txt", "test/1.txt")
    (tmp_path / "train" / "labels.csv").write_text("id,label\n1,a\n2,b\n")
    (tmp_path / "test" / "labels.csv").write_text("id,label\n1,a\n")
    records = labelled_texts(read_corpus(tmp_path))
    assert counts(records) == {("a", "train"): 1, ("b", "train"): 1, ("a", "test"): 1}
    assert [(r.id, r.where) for r in records] == [
        ("test/1", "test/labels.csv:2"),
        ("train/1", "train/labels.csv:2"),
        ("train/2", "train/labels.csv:3"),
    ]


def test_files_that_a_table_of_labels_does_not_reach_are_refused(tmp_path: Path) -> None:
    put(tmp_path, "1.txt", "other.bin", "deep/2.txt", "deep/er/3.txt")
    (tmp_path / "labels.csv").write_text("id,label\n1,a\n")
    records = list(read_corpus(tmp_path))
    assert counts(records) == {("a", None): 1}
    assert [(r.where, r.reason) for r in records if isinstance(r, Refusal)] == [
        ("deep/2.txt", "lies in a subfolder, where labels.csv names no document"),
        ("deep/er/3.txt", "lies in a subfolder, where labels.csv names no document"),
    ]


@pytest.mark.parametrize(("written", "on_disk"), [("NFC", "NFD"), ("NFD", "NFC")])
def test_a_table_of_labels_names_files_in_either_form_of_unicode(
    tmp_path: Path, written: Literal["NFC", "NFD"], on_disk: Literal["NFC", "NFD"]
) -> None:
    put(tmp_path, unicodedata.normalize(on_disk, "für.txt"), "b.txt")
    table = unicodedata.normalize(written, "id,label\nfür,x\nb,y\n")
    (tmp_path / "labels.csv").write_text(table)

    assert counts(labelled_texts(read_corpus(tmp_path))) == {("x", None): 1, ("y", None): 1}


def test_a_table_of_labels_tells_files_apart_that_differ_in_their_form_only(
    tmp_path: Path,
) -> None:
    forms = [unicodedata.normalize(form, "für") for form in ("NFC", "NFD")]
    put(tmp_path, *(f"{name}.txt" for name in forms))
    (tmp_path / "labels.csv").write_text(f"id,label\n{forms[0]},x\n{forms[1]},y\n")

    assert counts(labelled_texts(read_corpus(tmp_path))) == {("x", None): 1, ("y", None): 1}


@pytest.mark.parametrize("names", [("train.csv", "test.csv"), ("README.md", "d.jsonl.gz", "1.txt")])
@pytest.mark.parametrize("labelled", [True, False])
def test_tables_in_the_one_folder_of_a_corpus_are_no_documents_of_a_class(
    tmp_path: Path, names: tuple[str, ...], *, labelled: bool
) -> None:
    put(tmp_path, *(f"data/{name}" for name in names))

    with pytest.raises(InvalidParameters, match=r"one folder, data, with tables in it, '.*\.[cj]s"):
        list(read_corpus(tmp_path, labelled=labelled))


def test_two_tables_of_labels_are_one_too_many(tmp_path: Path) -> None:
    put(tmp_path, "1.txt")
    put(tmp_path, "labels.csv", "labels.tsv", text="id,label\n1,a\n")
    with pytest.raises(InvalidParameters, match=r"holds labels\.tsv and labels\.csv"):
        list(read_corpus(tmp_path))


@pytest.mark.parametrize("name", ["   ", "\u200b"])
def test_a_class_folder_whose_name_is_blank_is_refused(tmp_path: Path, name: str) -> None:
    put(tmp_path, f"{name}/1.txt", "a/1.txt")
    records = list(read_corpus(tmp_path))
    assert counts(records) == {("a", None): 1}
    assert [r.reason for r in records if isinstance(r, Refusal)] == [
        "the name of its class folder is blank"
    ]


def test_a_class_that_is_called_like_a_split_is_said(tmp_path: Path) -> None:
    put(tmp_path, "train/1.txt", "plane/1.txt", "ship/deep/1.txt")
    summary = CorpusSummary()
    list(summary.watch(read_corpus(tmp_path)))
    assert "of a class that is called like a split: 1 document, first train/1.txt" in (
        summary.warnings()
    )


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (["train/1.txt", "test/1.txt"], "folders of splits, not of classes"),
        (["train/a/1.txt", "test/a/1.txt", "more/1.txt"], "'more' beside them are none"),
        (["train/a/1.txt", "holdout/a/1.txt"], "'holdout' beside them are none"),
        (["test/a/1.txt", "tune/1.txt"], "'test': folders of splits, 'tune' beside them are none"),
    ],
)
def test_splits_that_are_half_of_one_thing_are_refused(
    tmp_path: Path, names: list[str], says: str
) -> None:
    put(tmp_path, *names)
    with pytest.raises(InvalidParameters, match=says):
        list(read_corpus(tmp_path))


def test_a_class_may_be_called_test(tmp_path: Path) -> None:
    put(tmp_path, "test/1.txt", "exam/1.txt")
    assert counts(read_corpus(tmp_path)) == {("test", None): 1, ("exam", None): 1}


def test_what_is_hidden_is_skipped_at_any_depth(tmp_path: Path) -> None:
    put(tmp_path, "a/1.txt", "a/deep/2.txt", "a/.git/3.txt", "a/deep/.x/y/4.txt", ".b/5.txt",
        "a/.6.txt")  # fmt: skip
    assert [r.where for r in read_corpus(tmp_path)] == ["a/1.txt", "a/deep/2.txt"]


def test_links_are_followed_to_files_of_the_corpus_only(tmp_path: Path) -> None:
    corpus = tmp_path / "corpus"
    put(corpus, "a/1.txt")
    put(tmp_path, "secret/s.txt")
    (corpus / "a" / "2.txt").symlink_to("1.txt")
    (corpus / "a" / "out").symlink_to(tmp_path / "secret")
    (corpus / "a" / "round").symlink_to(corpus)
    (corpus / "b").symlink_to(tmp_path / "secret")
    found = {r.where: getattr(r, "reason", r.where) for r in read_corpus(corpus)}
    assert found == {
        "a/1.txt": "a/1.txt",
        "a/2.txt": "a/2.txt",
        "a/out": "a link that leads out of the corpus",
        "a/round": "a link to a folder, which is not followed",
        "b": "a link that leads out of the corpus",
    }


def test_a_folder_per_class_answers_one_field(tmp_path: Path) -> None:
    put(tmp_path, "a/1.txt")
    columns = Columns(labels={"topic": "topic", "tone": "tone"})
    with pytest.raises(InvalidParameters, match="labels for one field, not for topic, tone"):
        list(read_corpus(tmp_path, columns=columns))


@pytest.mark.parametrize("form", ["folder", "file"])
def test_a_test_set_may_lie_apart(tmp_path: Path, form: str) -> None:
    put(tmp_path, "main/a/1.txt", "main/b/1.txt", "held/a/1.txt", "held/b/1.txt")
    (tmp_path / "held.csv").write_text("id,text,label\na/1.txt,one,a\n7,two,b\n")
    test = tmp_path / ("held" if form == "folder" else "held.csv")
    records = labelled_texts(read_corpus(tmp_path / "main", test=test))
    assert [(r.label, r.split) for r in records] == [
        ("a", "train"), ("b", "train"), ("a", "test"), ("b", "test"),
    ]  # fmt: skip
    assert len({r.id for r in records}) == 4
    assert records[2].where.startswith("held")


@pytest.mark.parametrize(
    "name", ["train", "Training", "validation", "valid", "VAL", "dev", " test"]
)
def test_known_splits(tmp_path: Path, name: str) -> None:
    (tmp_path / "c.csv").write_text(f"text,label,split\none,a,{name}\n")
    (record,) = labelled_texts(read_corpus(tmp_path / "c.csv"))
    assert record.split == ("test" if "test" in name else "train")


@pytest.mark.parametrize("name", ["unsupervised", "holdout", "1"])
def test_an_unknown_split_refuses_the_corpus(tmp_path: Path, name: str) -> None:
    (tmp_path / "c.csv").write_text(f"text,label,split\none,a,train\ntwo,a,{name}\n")
    with pytest.raises(InvalidParameters, match=f"c.csv:3: the split is '{name}'.*--split-column"):
        list(read_corpus(tmp_path / "c.csv"))


# What short texts are in is decided together


def test_short_files_are_read_in_the_code_page_of_all_of_them(tmp_path: Path) -> None:
    words = "Gdańsk łódź świnia żaba źródło jaźń więcej będzie może mężczyzna".split()
    for number, word in enumerate(words):
        put(tmp_path, f"a/{number}.txt")
        (tmp_path / "a" / f"{number}.txt").write_bytes(word.encode("cp1250"))
    (tmp_path / "a" / "ru.txt").write_bytes("Сегодня утром в городе выставка".encode("cp1251"))
    (tmp_path / "a" / "utf.txt").write_bytes("grün".encode())
    found = {r.where: r.text for r in labelled_texts(read_corpus(tmp_path))}
    assert [found[f"a/{n}.txt"] for n in range(len(words))] == words
    assert found["a/ru.txt"] == "Сегодня утром в городе выставка"
    assert found["a/utf.txt"] == "grün"


@pytest.mark.parametrize(
    ("name", "head"), [("eml", "Subject: x\nFrom: a@b.c\n\n"), ("html", "<title>x</title><p>")]
)
def test_so_are_short_documents_that_do_not_say_what_they_are_in(
    tmp_path: Path, name: str, head: str
) -> None:
    words = "Gdańsk łódź świnia żaba źródło jaźń więcej będzie może mężczyzna".split()
    put(tmp_path, f"a/said.{name}")
    for number, word in enumerate(words):
        (tmp_path / "a" / f"{number}.{name}").write_bytes((head + word).encode("cp1250"))
    said = head.replace("From", "Content-Type: text/plain; charset=windows-1251\nFrom")
    said = said.replace("<title>", "<meta charset=windows-1251><title>")
    (tmp_path / "a" / f"said.{name}").write_bytes((said + "выставка").encode("cp1251"))
    found = {r.where: r.text.split()[-1] for r in labelled_texts(read_corpus(tmp_path))}
    assert [found[f"a/{n}.{name}"] for n in range(len(words))] == words
    assert found[f"a/said.{name}"] == "выставка"


# Warnings


def warned(*labels: Any, multi_label: bool = False) -> str:
    summary = CorpusSummary()
    for number, label in enumerate(labels):
        summary.add(LabelledText("x", {"label": label}, None, f"c.csv:{number}"))
    return " / ".join(summary.warnings(multi_label=multi_label))


@pytest.mark.parametrize("label", ["N/A", "null", "NaN", "None", "-", "n/a", "NULL", "unsup"])
def test_labels_that_look_like_none_are_warned_of(label: str) -> None:
    assert f"1 labels look like none: {label!r}" in warned("good", label)


def test_labels_that_hold_a_separator_are_warned_of() -> None:
    assert "2 labels hold | or ;: 'a;b', 'a|b'" in warned("a|b", "a;b", "a")
    assert "hold" not in warned("a|b", "a;b", "a", multi_label=True)


@pytest.mark.parametrize("label", ['["a", "b"]', "['a']", "{'a'}", "('a', 'b')"])
def test_labels_that_are_lists_as_text_are_warned_of(label: str) -> None:
    assert "1 labels are lists written as text" in warned(label, "a (b)", "[c] d", "(e)")
    assert "lists" not in warned(label, multi_label=True)


@pytest.mark.parametrize(
    "labels", [("1", "01"), ("True", "TRUE", "true"), ("new york", "New_York"), ("ﬁt", "fit")]
)
def test_labels_that_differ_in_form_only_are_warned_of(
    labels: tuple[str, ...],
) -> None:
    assert "differ in case or form only" in warned(*labels)
    assert not warned("a", "b")


@pytest.mark.parametrize("name", ["po\u00ads", "po\u200ds", "\u200dpos", "p\u200bos", "p\u200eos"])
def test_labels_that_differ_in_what_is_not_seen_are_warned_of_and_kept(name: str) -> None:
    assert class_name(name) == name
    assert f"differ in case or form only: 'pos', {name!r}" in warned("pos", name)


@pytest.mark.parametrize("name", ["می\u200cخواهم", "👨\u200d👩\u200d👧", "🏴\U000e0067\U000e007f"])
def test_joiners_and_tags_are_part_of_a_label(name: str) -> None:
    assert class_name(f" {name} ") == name


def test_flags_are_told_apart_by_their_tags() -> None:
    assert not warned("🏴\U000e0067\U000e007f", "🏴\U000e0068\U000e007f")


@pytest.mark.parametrize(
    "around",
    ["\u200e", "\u200f", "\u061c", "\u202a", "\u202c", "\u2066", "\u2069", "\u200b", "\ufeff"],
)
def test_marks_around_a_label_and_a_column_are_no_part_of_them(tmp_path: Path, around: str) -> None:
    header, row = (
        f"text,{around}label,split {around}",
        f"a,{around} {around}pos{around},{around}test",
    )
    (tmp_path / "c.csv").write_text(f"{header}\n{row}\nb,pos,train\n")

    records = labelled_texts(read_corpus(tmp_path / "c.csv"))

    assert [(r.text, r.label, r.split) for r in records] == [
        ("a", "pos", "test"),
        ("b", "pos", "train"),
    ]


def test_labels_in_quotes_are_warned_of() -> None:
    assert "have their quotes in them: '\"x\"'" in warned('"x"', "y")


def test_reasons_are_summed_and_refusals_kept_to_a_bound() -> None:
    summary = CorpusSummary()
    for number in range(1500):
        summary.add(Refusal(f"c.csv:{number}", ["empty", "no text"][number % 2]))
    assert summary.refusal_reasons == {"empty": 750, "no text": 750}
    assert (summary.num_refused, len(summary.refusals), summary.share_refused) == (1500, 1000, 1.0)


def test_a_link_to_itself_costs_itself(tmp_path: Path) -> None:
    put(tmp_path, "a/1.txt")
    (tmp_path / "a" / "self.txt").symlink_to("self.txt")
    (tmp_path / "a" / "there").symlink_to("back")
    (tmp_path / "a" / "back").symlink_to("there")
    found = {r.where: r.reason for r in read_corpus(tmp_path) if isinstance(r, Refusal)}
    assert found.keys() == {"a/self.txt", "a/there", "a/back"}
    assert set(found.values()) == {"a link that leads out of the corpus"}
