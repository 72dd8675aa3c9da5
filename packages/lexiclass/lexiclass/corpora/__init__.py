"""Labelled texts as people keep them: folders, tables, JSON.

:func:`read_corpus` understands:

- a folder with a folder per class;
- a folder of .txt files with a table of labels beside them: labels.csv or labels.tsv with the
  columns id, label and, if wanted, split;
- one .csv, .tsv or .jsonl file with text, label and, if wanted, split and id, or with the columns
  that :class:`Columns` names.

Where no labels are needed, to predict or to index, the columns of labels may be missing and a
folder may hold nothing but .txt files.

Records are yielded one at a time, a refused one as a :class:`Refusal`, so that a corpus larger
than memory can be read and one bad row costs one row.

A form is a module with a source: a function from a :class:`SourceFile` and what is :class:`Wanted`
to records with their values by name, :class:`SourceRecord`, or refusals. :class:`Interpreter` makes
documents of these in one way for all forms: it checks the text, names the class of each field, and
knows the splits.
"""

from lexiclass.corpora.columns import Columns
from lexiclass.corpora.exports.spreadsheets import GUARDED
from lexiclass.corpora.interpretation import Interpreter
from lexiclass.corpora.reading import read_corpus
from lexiclass.corpora.records import REPLACED_BYTES, LabelledText, Record, Refusal, Split
from lexiclass.corpora.sources import SourceFile, SourceRecord, Wanted
from lexiclass.corpora.splits import FROM_VALIDATION, split_of
from lexiclass.corpora.summary import CorpusSummary

__all__ = [
    "FROM_VALIDATION",
    "GUARDED",
    "REPLACED_BYTES",
    "Columns",
    "CorpusSummary",
    "Interpreter",
    "LabelledText",
    "Record",
    "Refusal",
    "SourceFile",
    "SourceRecord",
    "Split",
    "Wanted",
    "read_corpus",
    "split_of",
]
