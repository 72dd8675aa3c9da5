"""An S3 server that is a process of its own, and what was asked of it."""

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.error import URLError
from urllib.parse import unquote
from urllib.request import Request, urlopen

# Answers other than 200 are in colour.
_REQUEST = re.compile(
    r'"(?:\x1b\[\d+m)*(?P<method>[A-Z]+) /(?P<path>[^ ?"]*)(?P<query>[^ "]*) HTTP/1\.1'
)


class Asked(NamedTuple):
    """A request: for an object, or for a bucket with a query."""

    method: str
    path: str
    query: str


class ObjectStore:
    """A running S3 server with one bucket.

    Attributes:
        url: Of the bucket, as fsspec spells it.
    """

    url = "s3://bucket"

    def __init__(self, log: Path) -> None:
        self._log = log
        self._seen = 0

    def forget(self) -> None:
        """Forget what was asked until now."""
        self._seen = len(self._requests())

    def asked(self, method: str, folder: str = "") -> list[str]:
        """Objects below a folder that were asked for with a method, by name, sorted."""
        found = [request for request in self._requests()[self._seen :] if not request.query]
        paths = [request.path for request in found if request.method == method]
        return sorted(path.rpartition("/")[2] for path in paths if f"/{folder}" in path)

    def _requests(self) -> list[Asked]:
        found = _REQUEST.finditer(self._log.read_text())
        return [Asked(each["method"], unquote(each["path"]), each["query"]) for each in found]


def variables(port: int) -> dict[str, str]:
    """What makes clients of S3 ask the server on a port."""
    return {
        "AWS_ENDPOINT_URL_S3": f"http://127.0.0.1:{port}",
        "AWS_ACCESS_KEY_ID": "nobody",
        "AWS_SECRET_ACCESS_KEY": "nothing",
        "AWS_DEFAULT_REGION": "us-east-1",
    }


@contextmanager
def running_object_store(port: int, directory: Path) -> Iterator[ObjectStore]:
    """An S3 server for the time of a ``with`` block."""
    log = directory / "object-store.log"
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with (
        log.open("wb") as output,
        subprocess.Popen(command, stdout=output, stderr=output) as server,
    ):
        try:
            _make_bucket(f"http://127.0.0.1:{port}/bucket", server)
            yield ObjectStore(log)
        finally:
            server.terminate()


def _make_bucket(url: str, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            urlopen(Request(url, method="PUT")).close()
        except URLError:
            if server.poll() is not None or time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return
