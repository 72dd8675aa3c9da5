"""Object stores that are not Amazon's: a proxy before an S3 server that refuses some requests."""

import http.client
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import parse_qs, urlsplit

_OF_THE_CONNECTION = {"content-length", "transfer-encoding", "connection", "server", "date"}


@dataclass(frozen=True, slots=True)
class Refusal:
    """What a store answers to a request that it refuses."""

    status: int
    code: str
    message: str
    around: str = "{}"

    @property
    def content(self) -> bytes:
        """The body of the answer."""
        error = f"<Error><Code>{self.code}</Code><Message>{self.message}</Message></Error>"
        return self.around.format(error).encode()


@dataclass(frozen=True, slots=True)
class Request:
    """A request as a rule sees it."""

    method: str
    path: str
    query: dict[str, list[str]]

    @property
    def is_bulk_delete(self) -> bool:
        """Whether it removes several objects."""
        return self.method == "POST" and "delete" in self.query


Rule = Callable[[Request], Refusal | None]


@dataclass(slots=True)
class Proxy:
    """A running proxy, and what it refused.

    Attributes:
        url: What clients take for the endpoint.
    """

    url: str
    refused: list[Request] = field(default_factory=list)


@contextmanager
def running_proxy(port: int, rule: Rule) -> Iterator[Proxy]:
    """A proxy for the time of a ``with`` block.

    Args:
        port: Of the server behind it.
        rule: Says which requests are refused.
    """
    with _Server(port, rule) as server:
        thread = Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server.proxy
        finally:
            server.shutdown()
            thread.join()


class _Server(ThreadingHTTPServer):
    def __init__(self, port: int, rule: Rule) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.port = port
        self.rule = rule
        self.proxy = Proxy(f"http://127.0.0.1:{self.server_address[1]}")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def __getattr__(self, name: str) -> Callable[[], None]:
        """Every method is answered in the same way."""
        if name.startswith("do_"):
            return self._answer
        raise AttributeError(name)

    def log_message(self, *_: object) -> None:
        pass

    def _answer(self) -> None:
        body = self._body()
        parts = urlsplit(self.path)
        request = Request(self.command, parts.path, parse_qs(parts.query, keep_blank_values=True))
        if (refusal := self.server.rule(request)) is not None:
            self.server.proxy.refused.append(request)
            self._send(refusal.status, {"Content-Type": "application/xml"}, refusal.content)
            return
        server = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=60)
        names = {"transfer-encoding", "content-length", "expect", "connection"}
        headers = {k: v for k, v in self.headers.items() if k.lower() not in names}
        server.request(self.command, self.path, body, headers)
        response = server.getresponse()
        self._send(response.status, dict(response.getheaders()), response.read())
        server.close()

    def _body(self) -> bytes:
        if (self.headers.get("Transfer-Encoding") or "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = b""
        while size := int(self.rfile.readline().partition(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return body

    def _send(self, status: int, headers: dict[str, str], content: bytes) -> None:
        length = {name.lower(): value for name, value in headers.items()}.get("content-length")
        self.send_response(status)
        for name, value in headers.items():
            if name.lower() not in _OF_THE_CONNECTION:
                self.send_header(name, value)
        is_head = self.command == "HEAD"
        self.send_header("Content-Length", (length or "0") if is_head else str(len(content)))
        self.end_headers()
        if not is_head:
            self.wfile.write(content)


def without_checksums(request: Request) -> Refusal | None:
    """Ceph and older MinIO: no list of objects to remove without a Content-MD5."""
    if request.is_bulk_delete:
        message = "Missing required header for this request: Content-Md5."
        return Refusal(400, "MissingContentMD5", message)
    return None


def without_bulk_deletes(request: Request) -> Refusal | None:
    """Stores that do not know the request."""
    if request.is_bulk_delete:
        return Refusal(501, "NotImplemented", "A header you provided is not implemented.")
    return None


def without_right_to_bulk_deletes(request: Request) -> Refusal | None:
    """No right to remove an object of a list: said inside of an answer that is a success."""
    if request.is_bulk_delete:
        around = "<DeleteResult>{}</DeleteResult>"
        return Refusal(200, "AccessDenied", "Access Denied", around)
    return None


def rights_on_prefix(bucket: str, prefix: str) -> Rule:
    """No rights on a bucket itself, and all on the objects below a prefix."""

    def rule(request: Request) -> Refusal | None:
        is_of_bucket = request.path.strip("/") in {bucket, ""}
        may_list = request.method == "GET" and request.query.get("prefix", [""])[0].startswith(
            prefix
        )
        if is_of_bucket and not may_list and not request.is_bulk_delete:
            return Refusal(403, "AccessDenied", "Access Denied")
        return None

    return rule
