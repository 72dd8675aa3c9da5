"""Files of exports, as an import reads them."""

import io
from pathlib import Path

import pytest

from lexiclass.corpora import read_corpus
from lexiclass_worker.admin.export_files import CsvWriter
from tests.support.records import labelled_texts


@pytest.mark.parametrize(
    "text", ["one\rtwo", "\rone", "one\r", "one\r\ntwo", 'a "b"\rc, d', "one\ntwo"]
)
def test_a_text_keeps_its_line_ends_in_csv(tmp_path: Path, text: str) -> None:
    file = io.BytesIO()
    columns = ["document_id", "id", "label", "guarded", "text"]
    writer = CsvWriter(file, columns, is_guarded=True, has_mark=False)
    writer.write([{"document_id": 1, "id": name, "label": "x", "text": text} for name in "ab"])
    (tmp_path / "export.csv").write_bytes(file.getvalue())

    records = labelled_texts(read_corpus(tmp_path / "export.csv"))

    assert [(record.text, record.label) for record in records] == 2 * [(text, "x")]
