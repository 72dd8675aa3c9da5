"""One file of an index: some documents as tokens, written once and never changed.

Tokens are numbered by the terms of the shard, so that a process can write one without knowing any
other. A second, small file says which number each of these terms has in the index.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy import sparse

from lexiclass.checksums import FileRecord, file_stamp
from lexiclass.errors import ModelCorrupt
from lexiclass.index.store.digests import DIGEST_BYTES
from lexiclass.index.store.files import Shard, ShardRecord, new_name, write_file
from lexiclass.index.store.table import DocumentTable
from lexiclass.index.tokens.terms import TERM_ARRAYS, StoredTerms, encode_terms, find_defect
from lexiclass.memmap import MemmapFile, Shape
from lexiclass.serialization import Arrays
from lexiclass.tokens import TokenMatrix

_NARROW = (np.uint8, np.uint16, np.int32)  # see _narrow

_ARRAYS: dict[str, Shape] = {
    "ids": ((np.int64,), 1),
    "digests": ((np.uint8,), 2),
    "stamps": ((np.int64,), 1),
    "indptr": ((np.int64,), 1),
    "tokens": (_NARROW, 1),
    "count_indptr": ((np.int64,), 1),
    "count_terms": (_NARROW, 1),
    "counts": (_NARROW, 1),
    **TERM_ARRAYS,
}


class TokenShardRecord(ShardRecord):
    """What the manifest says of a shard, whose terms have numbers once there is a file with these.

    Attributes:
        stamp: That of both files when they were found whole; see
            :meth:`TokenShard.verify_written`.
    """

    name: str = Field(pattern=r"^shard-[0-9a-f]{32}$")
    num_documents: int = Field(ge=0, lt=2**31)
    num_terms: int = Field(ge=0, lt=2**31)
    num_tokens: int = Field(ge=0, lt=2**62)
    numbers: FileRecord | None = None
    stamp: int | None = None

    @property
    def num_rows(self) -> int:
        """Documents in it."""
        return self.num_documents

    @property
    def weight(self) -> int:
        """Tokens in it."""
        return self.num_tokens

    @property
    def file_name(self) -> str:
        """Name of the file with the documents."""
        return f"{self.name}.safetensors"

    @property
    def numbers_name(self) -> str:
        """Name of the file with the numbers of its terms."""
        return f"{self.name}.terms.safetensors"

    @property
    def files(self) -> dict[str, FileRecord]:
        """The files there are."""
        files = {self.file_name: self.file}
        return files if self.numbers is None else files | {self.numbers_name: self.numbers}


def write_shard(
    directory: Path, table: DocumentTable, tokens: TokenMatrix, name: str | None = None
) -> TokenShardRecord:
    """Write the documents of a table as a new shard, in their order; under a new name, or this."""
    counts = tokens.counts()
    arrays: Arrays = {
        "ids": table.ids,
        "digests": table.digests,
        "stamps": table.stamps,
        "indptr": tokens.indptr,
        "tokens": _narrow(tokens.ids),
        "count_indptr": counts.indptr.astype(np.int64),
        "count_terms": _narrow(counts.indices),
        "counts": _narrow(counts.data),
        **encode_terms(tokens.terms),
    }
    name = new_name("shard") if name is None else name
    return TokenShardRecord(
        name=name,
        num_documents=len(tokens),
        num_terms=len(tokens.terms),
        num_tokens=len(tokens.ids),
        file=write_file(directory / f"{name}.safetensors", arrays),
    )


def write_numbers(
    directory: Path, record: TokenShardRecord, numbers: NDArray[np.int32]
) -> TokenShardRecord:
    """Write which number each term of a shard has in the index."""
    file = write_file(directory / record.numbers_name, {"numbers": numbers})
    record = record.model_copy(update={"numbers": file})
    return record.model_copy(update={"stamp": _stamp(directory, record)})


def _stamp(directory: Path, record: TokenShardRecord) -> int:
    return hash(tuple(file_stamp(directory / name) for name in record.files))


def _narrow(values: NDArray[Any]) -> NDArray[Any]:
    """Store numbers in 1, 2 or 4 bytes each: most are small, and less is read."""
    largest = int(values.max(initial=0))
    return values.astype(np.uint8 if largest < 2**8 else np.uint16 if largest < 2**16 else np.int32)


class TokenShard(Shard[TokenShardRecord]):
    """A shard of tokens; its terms have numbers in an index of so many terms, or none as yet.

    Raises:
        ModelCorrupt: If a file is missing or not what the record says.
    """

    def __init__(self, directory: Path, record: TokenShardRecord, num_terms: int = 0) -> None:
        documents = MemmapFile.open(directory / record.file_name, record.file, _ARRAYS)
        super().__init__(record, [documents])
        self._directory = directory
        self._num_terms = num_terms
        self._arrays = documents.arrays
        self._numbers = np.empty(0, np.int32)
        if record.numbers is not None:
            path = directory / record.numbers_name
            numbers = MemmapFile.open(path, record.numbers, {"numbers": ((np.int32,), 1)})
            self._files.append(numbers)
            self._numbers = numbers.arrays["numbers"]
        if reason := self._defect():
            raise ModelCorrupt(record.file_name, reason)

    def table(self, number: int) -> DocumentTable:
        """Return the documents, as those of one of the shards of an index."""
        columns = {name: self._arrays[name] for name in ("ids", "digests", "stamps")}
        return DocumentTable.of_shard(number, **columns)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """(n,) number of tokens of each document."""
        return np.diff(self._arrays["indptr"])

    @property
    def numbers(self) -> NDArray[np.int32]:
        """(num_terms,) the number in the index of each term of the shard.

        Raises:
            ModelCorrupt: If the files were changed.
        """
        self.verify()
        return self._numbers

    @property
    def terms(self) -> StoredTerms:
        """The terms, as the shard numbers them."""
        return StoredTerms(self._arrays)

    def verify_written(self) -> TokenShardRecord:
        """Check every byte of the files if they were written to since they were found whole.

        What a disk has lost by itself is left to those who read it.

        Returns:
            The record, with the stamp they have now.

        Raises:
            ModelCorrupt: If one was changed.
        """
        stamp = _stamp(self._directory, self.record)
        if stamp != self.record.stamp:
            self.verify()
        return self.record.model_copy(update={"stamp": stamp})

    def _check_content(self) -> None:
        if reason := self._stray():
            raise ModelCorrupt(self.record.file_name, reason)

    def tokens(self, rows: NDArray[np.int64]) -> TokenMatrix:
        """Return documents, their terms by the numbers of the index and without their names.

        Raises:
            ModelCorrupt: If the files were changed.
        """
        self.verify()
        whole = np.array_equal(rows, np.arange(len(self)))
        tokens = TokenMatrix((), self._arrays["tokens"], self._arrays["indptr"])
        if not whole:
            tokens = tokens.take(rows)
        return TokenMatrix((), self._numbers[tokens.ids], tokens.indptr)

    def counts(self, rows: NDArray[np.int64]) -> sparse.csr_array:
        """Return (n, num_terms) int32 counts of documents by the numbers of the index.

        Raises:
            ModelCorrupt: If the files were changed.
        """
        self.verify()
        parts = (self._arrays[name] for name in ("counts", "count_terms", "count_indptr"))
        local = sparse.csr_array(tuple(parts), shape=(len(self), self.record.num_terms))
        if not np.array_equal(rows, np.arange(len(self))):
            local = local[rows]
        return sparse.csr_array(
            (local.data.astype(np.int32), self._numbers[local.indices], local.indptr),
            shape=(len(rows), self._num_terms),
        )

    def _defect(self) -> str | None:
        arrays, record = self._arrays, self.record
        num_documents = record.num_documents
        if (
            arrays["ids"].shape != (num_documents,)
            or arrays["stamps"].shape != (num_documents,)
            or arrays["digests"].shape != (num_documents, DIGEST_BYTES)
            or arrays["text_offsets"].shape != (record.num_terms + 1,)
            or arrays["tokens"].shape != (record.num_tokens,)
            or len(arrays["counts"]) != len(arrays["count_terms"])
            or (record.numbers is not None and len(self._numbers) != record.num_terms)
        ):
            return "holds other numbers of documents, terms and tokens than the manifest says"
        for name, size in (("indptr", "tokens"), ("count_indptr", "counts")):
            indptr = arrays[name]
            if (
                indptr.shape != (num_documents + 1,)
                or indptr[0] != 0
                or indptr[-1] != len(arrays[size])
                or (indptr[1:] < indptr[:-1]).any()
            ):
                return f"the rows do not cover the {size}"
        return None

    def _stray(self) -> str | None:
        """Return what leads out of an array: compiled code that follows it does not look."""
        arrays, num_terms = self._arrays, self.record.num_terms
        for name, numbers, limit in (
            ("tokens", arrays["tokens"], num_terms),
            ("count_terms", arrays["count_terms"], num_terms),
            ("numbers", self._numbers, self._num_terms),
        ):
            if len(numbers) and not (numbers.min() >= 0 and numbers.max() < limit):
                return f"{name!r} holds numbers that no term has"
        if arrays["counts"].min(initial=1) < 1:
            return "a term is counted less than once"
        return find_defect(arrays)
