"""Names and folders in archives, as programs of other systems write them."""

import io
import os
import struct
import tarfile
import unicodedata
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path

import pytest

from lexiclass import LabelledText, Refusal, read_corpus
from tests.support.documents import zipped
from tests.support.records import labelled_texts


class _Unsaid(zipfile.ZipInfo):
    """A member that doesn't say what its name is in."""

    raw = b""

    def _encodeFilenameFlags(self) -> tuple[bytes, int]:  # noqa: N802 - of the module zipfile
        return self.raw, self.flag_bits & ~0x800


def unsaid(names: Iterable[bytes], extra: bytes = b"") -> bytes:
    """A zip archive of names that are in what it doesn't say."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for number, name in enumerate(names):
            member = _Unsaid(f"{number}.txt")
            member.raw, member.extra = name, extra
            archive.writestr(member, f"text {number}")
    return file.getvalue()


def classes(path: Path, data: bytes) -> list[str | None]:
    path.write_bytes(data)
    return [record.label for record in labelled_texts(read_corpus(path))]


@pytest.mark.parametrize(
    ("encoding", "names"),
    [
        ("utf-8", ["Küche", "Gärten"]),  # Info-ZIP, macOS
        ("cp850", ["Küche", "Gärten"]),
        ("cp850", ["Straße", "Wiese"]),  # a single letter speaks for nothing: as APPNOTE has it
        ("cp850", ["São Paulo", "notícias", "educação"]),
        ("cp437", ["santé", "société"]),
        ("cp1252", ["Küche", "Gärten"]),
        ("cp866", ["Спорт", "Наука"]),
        ("cp1251", ["Спорт", "Наука"]),
        ("cp932", ["スポーツ", "経済", "表"]),  # of the last one the second byte is a backslash
        ("gbk", ["体育", "财经", "科技"]),
        ("cp949", ["스포츠", "경제", "정치"]),
    ],
)
def test_names_of_a_zip_archive_are_read_in_what_they_are_in(
    tmp_path: Path, encoding: str, names: list[str]
) -> None:
    data = unsaid(f"{name}/1.txt".encode(encoding) for name in names)

    assert sorted(map(str, classes(tmp_path / "c.zip", data))) == sorted(names)


def test_marks_of_macos_upon_letters_are_one_with_them(tmp_path: Path) -> None:
    names = [unicodedata.normalize("NFD", f"{name}/1.txt").encode() for name in ("Küche", "Gärten")]

    assert classes(tmp_path / "c.zip", unsaid(names)) == ["Gärten", "Küche"]


def test_a_name_beside_a_name_is_taken_if_it_is_of_that_one(tmp_path: Path) -> None:
    unicode_name = "Кухня/1.txt".encode()
    other = unsaid([b"?????/1.txt", b"b/2.txt"], _unicode_path(b"?????/1.txt", unicode_name))

    assert classes(tmp_path / "c.zip", other) == ["b", "Кухня"]


def _unicode_path(name: bytes, unicode_name: bytes) -> bytes:
    field = struct.pack("<BL", 1, zlib.crc32(name)) + unicode_name
    return struct.pack("<HH", 0x7075, len(field)) + field


def test_a_nul_in_a_path_of_a_tar_archive_costs_its_member(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "c.tar", "w", format=tarfile.PAX_FORMAT) as archive:
        for name, path in (("a/x.txt", "a/x.txt"), ("b/y.txt", "b/y\0.txt")):
            member = tarfile.TarInfo(name)
            member.size = 5
            member.pax_headers = {"path": path}
            archive.addfile(member, io.BytesIO(b"hello"))

    refusal, text = read_corpus(tmp_path / "c.tar")

    assert isinstance(text, LabelledText)
    assert refusal == Refusal("c.tar:b/y\\x00.txt", "its name has a NUL character")


def test_a_member_that_lies_too_deep_is_refused(tmp_path: Path) -> None:
    (tmp_path / "c.zip").write_bytes(
        zipped({"a/x.txt": "one", "b/" + "d/" * 90 + "x.txt": "two", "b/" + "d/" * 1200 + "x": ""})
    )

    refusal, *texts = read_corpus(tmp_path / "c.zip")

    assert isinstance(refusal, Refusal)
    assert refusal.reason == "lies in more than 100 folders, one in the other"
    assert [text.label for text in labelled_texts(texts)] == ["a", "b"]


def test_folders_may_lie_in_each_other_deeper_than_python_calls(tmp_path: Path) -> None:
    deepest = tmp_path / "c" / "a" / "/".join("d" * 1100)
    path = str(tmp_path)
    for part in deepest.relative_to(tmp_path).parts:
        path = f"{path}/{part}"
        os.mkdir(path)  # noqa: PTH102 - Path.mkdir(parents=True) calls itself
    (deepest / "x.txt").write_text("deep")
    try:
        records = labelled_texts(read_corpus(tmp_path / "c"))
    finally:
        (deepest / "x.txt").unlink()
        os.removedirs(deepest)  # pytest's own removal calls itself

    assert [(record.text, record.label) for record in records] == [("deep", "a")]
