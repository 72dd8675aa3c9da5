"""What machines of a measurement share: an object store over a folder, and ways to other servers.

The store answers what clients of S3 ask of it here, fast enough not to be what is measured. It
knows no keys and no accounts: it is for networks that a measurement has made.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
from bisect import bisect_left
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import formatdate
from functools import partial
from itertools import islice
from pathlib import Path
from urllib.parse import unquote
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

from aiohttp import web

_PAGE = 1_000
_NAMESPACE = "{http://s3.amazonaws.com/doc/2006-03-01/}"
_LARGEST_OBJECT = 2**33

# One of these is answered at once, which costs a third of what handing it to the kernel does.
_SMALL_OBJECT = 2**16


class ObjectServer:
    """Objects as the files of a folder, whose folders are the buckets.

    Args:
        root: The folder.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._listed: dict[Path, tuple[int, list[str]]] = {}

    def application(self) -> web.Application:
        """Return what answers requests."""
        application = web.Application(client_max_size=_LARGEST_OBJECT)
        application.router.add_route("*", "/{path:.*}", self._answer)
        return application

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        path = self._root / request.match_info["path"].rstrip("/")
        is_bucket = path.parent == self._root
        match request.method:
            case "GET" if is_bucket:
                return self._list(request, path)
            case "POST" if "delete" in request.query:
                return self._delete(await request.text(), path)
            case "GET" | "HEAD":
                return self._get(request, path, is_bucket=is_bucket)
            case "PUT":
                return await self._put(request, path)
            case "DELETE":
                _remove(path)
                return web.Response(status=204)
            case _:
                return web.Response(status=501)

    def _get(self, request: web.Request, path: Path, *, is_bucket: bool) -> web.StreamResponse:
        if is_bucket:
            return web.Response()
        if not path.is_file():
            return _xml("<Error><Code>NoSuchKey</Code></Error>", status=404)
        status = path.stat()
        asked = request.http_range
        if request.method == "GET" and asked.start == 0 and 0 < status.st_size <= _SMALL_OBJECT:
            return _beginning(path, asked.stop, status)
        return web.FileResponse(path, chunk_size=2**20)

    async def _put(self, request: web.Request, path: Path) -> web.Response:
        source = request.headers.get("x-amz-copy-source")
        return await asyncio.to_thread(self._write, path, source, await request.read())

    def _write(self, path: Path, source: str | None, content: bytes) -> web.Response:
        path.parent.mkdir(parents=True, exist_ok=True)
        written = path.with_name(f".{path.name}.{os.urandom(8).hex()}")
        if source is None:
            written.write_bytes(content)
        else:
            copied = self._root / unquote(source).lstrip("/")
            if not copied.is_file():
                return _xml("<Error><Code>NoSuchKey</Code></Error>", status=404)
            shutil.copyfile(copied, written)
        written.replace(path)
        status = path.stat()
        tag = object_tag(status)
        if source is None:
            return web.Response(headers={"ETag": tag})
        return _xml(
            f"<CopyObjectResult><ETag>{escape(tag)}</ETag>"
            f"<LastModified>{_time(status)}</LastModified></CopyObjectResult>"
        )

    def _delete(self, text: str, bucket: Path) -> web.Response:
        for key in ET.fromstring(text).iter():
            if key.tag in {"Key", f"{_NAMESPACE}Key"}:
                _remove(bucket / str(key.text))
        return _xml("<DeleteResult></DeleteResult>")

    def _list(self, request: web.Request, bucket: Path) -> web.Response:
        if "uploads" in request.query:
            return _xml("<ListMultipartUploadsResult></ListMultipartUploadsResult>")
        prefix = request.query.get("prefix", "")
        is_flat = not request.query.get("delimiter")
        keys = self._keys(bucket, prefix, is_flat=is_flat)
        begin = int(request.query.get("continuation-token", "0"))
        end = begin + min(_PAGE, int(request.query.get("max-keys", str(_PAGE))))
        page = list(islice(keys, begin, end + 1))
        more = len(page) > end - begin
        page = page[: end - begin]
        parts = [f"<Prefix>{escape(prefix)}</Prefix><KeyCount>{len(page)}</KeyCount>"]
        for key in page:
            with suppress(FileNotFoundError):
                parts.append(_entry(bucket, key))
        parts.append(f"<IsTruncated>{str(more).lower()}</IsTruncated>")
        if more:
            parts.append(f"<NextContinuationToken>{end}</NextContinuationToken>")
        return _xml(f"<ListBucketResult>{''.join(parts)}</ListBucketResult>")

    def _keys(self, bucket: Path, prefix: str, *, is_flat: bool) -> Iterator[str]:
        """Yield keys below a prefix; without what is in folders, unless all are asked for."""
        folder, _, beginning = prefix.rpartition("/")
        folder = f"{folder}/" if folder else ""
        names = self._names(bucket / folder)
        for place in range(bisect_left(names, beginning), len(names)):
            if not names[place].startswith(beginning):
                return
            key = f"{folder}{names[place]}"
            if is_flat and key.endswith("/"):
                yield from self._keys(bucket, key, is_flat=True)
            else:
                yield key

    def _names(self, folder: Path) -> list[str]:
        """Return what is in a folder, folders with a slash; listed anew when it has changed."""
        if not folder.is_dir():
            return []
        changed_at = folder.stat().st_mtime_ns
        kept = self._listed.get(folder)
        if kept is None or kept[0] != changed_at:
            with os.scandir(folder) as entries:
                names = [f"{entry.name}/" if entry.is_dir() else entry.name for entry in entries]
            visible = sorted(name for name in names if not _is_partial(name))
            kept = self._listed[folder] = changed_at, visible
        return kept[1]


def _beginning(path: Path, stop: int | None, status: os.stat_result) -> web.Response:
    """The first bytes of an object."""
    content = path.read_bytes()[:stop]
    told = {"ETag": object_tag(status), "Last-Modified": formatdate(status.st_mtime, usegmt=True)}
    if stop is None:
        return web.Response(body=content, headers=told)
    told["Content-Range"] = f"bytes 0-{len(content) - 1}/{status.st_size}"
    return web.Response(status=206, body=content, headers=told)


def _remove(path: Path) -> None:
    """Remove an object; of a folder, which is none, nothing."""
    with suppress(FileNotFoundError, IsADirectoryError):
        path.unlink()


def _is_partial(name: str) -> bool:
    """Whether a file is being written."""
    return name.startswith(".") and len(name.rpartition(".")[2]) == 16


def _entry(bucket: Path, key: str) -> str:
    if key.endswith("/"):
        return f"<CommonPrefixes><Prefix>{escape(key)}</Prefix></CommonPrefixes>"
    status = (bucket / key).stat()
    return (
        f"<Contents><Key>{escape(key)}</Key><Size>{status.st_size}</Size>"
        f"<ETag>{escape(object_tag(status))}</ETag>"
        f"<LastModified>{_time(status)}</LastModified></Contents>"
    )


def object_tag(status: os.stat_result) -> str:
    """The ETag of an object."""
    return f'"{status.st_mtime_ns:x}-{status.st_size:x}"'


def _time(status: os.stat_result) -> str:
    return datetime.fromtimestamp(status.st_mtime, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def _xml(content: str, *, status: int = 200) -> web.Response:
    return web.Response(text=content, status=status, content_type="application/xml")


async def forward(host: str, port: int) -> asyncio.Server:
    """Lead whoever comes to a port of an address to the same port of this machine's loopback."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            there, back = await asyncio.open_connection("127.0.0.1", port)
            await asyncio.gather(_pass_on(reader, back), _pass_on(there, writer))

    return await asyncio.start_server(serve, host, port)


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(2**16):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    finally:
        with suppress(OSError):
            writer.close()


async def _serve(options: argparse.Namespace) -> None:
    runner = web.AppRunner(ObjectServer(options.folder).application())
    await runner.setup()
    await web.TCPSite(runner, options.host, options.port).start()
    forwarding = [await forward(options.host, port) for port in options.forward]
    try:
        await asyncio.Event().wait()
    finally:
        for server in forwarding:
            server.close()
        await runner.cleanup()


def main() -> None:
    """Serve until somebody ends it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--host", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--folder", type=Path, required=True, help="whose folders are buckets")
    parser.add_argument("--forward", type=int, nargs="*", default=[], help="ports to lead on")
    run = partial(_serve, parser.parse_args())
    with suppress(KeyboardInterrupt):
        asyncio.run(run())


if __name__ == "__main__":
    main()
