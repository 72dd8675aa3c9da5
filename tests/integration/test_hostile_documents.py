"""Documents that are none, change while they are read, or have no end: one costs no other."""

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lexiclass_worker.errors import WorkerError
from tests.support.corpora import SmallProject
from tests.support.services import Workshop

WRITES = """
import sys, time
with open(sys.argv[1], "a") as file:
    while True:
        file.write("more and more words ")
        file.flush()
        time.sleep(0.0002)
"""


@contextmanager
def written_to(path: Path) -> Iterator[None]:
    with subprocess.Popen([sys.executable, "-c", WRITES, path]) as process:
        try:
            while not path.exists():
                assert process.poll() is None
            yield
        finally:
            process.kill()


def make_socket(path: Path) -> None:
    folder = os.open(path.parent, os.O_RDONLY)
    with socket.socket(socket.AF_UNIX) as listening:
        # A path may have 107 bytes there.
        listening.bind(f"/proc/self/fd/{folder}/{path.name}")
    os.close(folder)


def make_device(path: Path) -> None:
    try:
        os.mknod(path, 0o600 | 0o020000, os.makedev(1, 5))  # /dev/zero, which has no end
    except PermissionError:
        pytest.skip("devices are made by root only")


# What is put in the place of a document, and why it is not read.
ODD: dict[str, tuple[Callable[[Path], object], str]] = {
    "fifo": (os.mkfifo, "not a regular file"),
    "socket": (make_socket, "not a regular file"),
    "device": (make_device, "not a regular file"),
    "link": (lambda path: path.symlink_to("/etc/passwd"), "a symbolic link"),
    "dangling link": (lambda path: path.symlink_to("nowhere"), "a symbolic link"),
    "link to itself": (lambda path: path.symlink_to(path), "a symbolic link"),
    "folder": (lambda path: path.mkdir(), "Is a directory"),
}

LONG = {
    "a line of 8 MB": "some words of a line " * 400_000,
    "a token of 5 MB": "x" * 5_000_000,
    "marks": "e" + "\u0301" * 300_000,
    "marks of two kinds": "e" + "\u0301\u0327" * 150_000,
    "blanks": " \n\t" * 1_000_000,
    "brackets": "(" * 1_000_000,
    "joined emoji": "\U0001f469\u200d" * 200_000,
}


@pytest.fixture
async def project(workshop: Workshop) -> SmallProject:
    project = await workshop.project(training=3, test=3)
    await workshop.train(project)
    return project


@pytest.mark.slow_variants(2)
@pytest.mark.parametrize("kind", ODD)
async def test_what_is_no_document_is_skipped_with_the_reason(
    workshop: Workshop, project: SmallProject, kind: str
) -> None:
    put, reason = ODD[kind]
    odd, *others = project.test_ids
    workshop.document(project, odd).unlink()
    put(workshop.document(project, odd))

    indexed = await workshop.index(project)
    predicted = await workshop.predict(project)

    assert [(skipped.document_id, skipped.reason) for skipped in indexed.skipped] == [(odd, reason)]
    assert indexed.num_documents == len(project.document_ids) - 1
    assert predicted.missing_document_ids == [odd]
    assert predicted.predictions_created == len(project.document_ids) - 1
    with pytest.raises(WorkerError, match="none of the 1 documents could be read") as refused:
        await workshop.predict(project, document_ids=[odd])
    assert reason in refused.value.message
    assert (await workshop.predict(project, document_ids=others)).num_missing == 0


@pytest.mark.slow
async def test_a_document_that_is_written_to_all_the_time_costs_no_other(
    workshop: Workshop, project: SmallProject
) -> None:
    growing = project.test_ids[0]
    with written_to(workshop.document(project, growing)):
        indexed = await workshop.index(project)
        predicted = await workshop.predict(project)
    # Read in a moment in which nothing was written, or not at all: never in part.
    reasons = {skipped.reason for skipped in indexed.skipped}
    assert reasons <= {"it is being written to"}
    assert indexed.num_documents + indexed.num_skipped == len(project.document_ids)
    assert predicted.predictions_created + predicted.num_missing == len(project.document_ids)
    assert set(predicted.missing_document_ids) <= {growing}

    again = await workshop.index(project)

    assert again.num_documents == len(project.document_ids)


@pytest.mark.slow_variants
@pytest.mark.parametrize("kind", LONG)
async def test_a_text_without_end_costs_no_other(
    workshop: Workshop, project: SmallProject, kind: str
) -> None:
    long = project.test_ids[0]
    workshop.document(project, long).write_text(LONG[kind])

    indexed = await workshop.index(project)
    predicted = await workshop.predict(project)

    assert (indexed.num_documents, indexed.num_skipped) == (len(project.document_ids), 0)
    assert predicted.predictions_created == len(project.document_ids)


@pytest.mark.slow
async def test_a_document_beyond_the_limit_is_not_even_read(
    workshop: Workshop, project: SmallProject
) -> None:
    large = project.test_ids[0]
    with workshop.document(project, large).open("wb") as file:
        file.truncate(2**40)  # of nothing: it takes no room, and no reader has room for it

    indexed = await workshop.index(project)
    predicted = await workshop.predict(project)

    assert [(skipped.document_id, skipped.reason) for skipped in indexed.skipped] == [
        (large, "too large")
    ]
    assert predicted.missing_document_ids == [large]
