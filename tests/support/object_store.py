"""An object store on a folder that speaks as much of Amazon's S3 over HTTP as Kubeflow's launcher uses.

Objects are files below `bucket/key`; nobody's signature is checked.  What is asked for otherwise is answered 501.
"""

from __future__ import annotations

import contextlib
import http.server
import itertools
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

_PAGE = 100


@contextlib.contextmanager
def object_store(folder: Path, host: str = "127.0.0.1") -> Iterator[str]:
    """The host and port at which the buckets in `folder` are served while the context is open."""
    uploads: dict[str, dict[int, bytes]] = {}
    numbers = itertools.count(1)

    class Requests(_Requests):
        def __init__(self, *arguments: Any) -> None:
            self.folder, self.uploads, self.numbers = folder, uploads, numbers
            super().__init__(*arguments)

    with http.server.ThreadingHTTPServer((host, 0), Requests) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"{host}:{server.server_port}"
        finally:
            server.shutdown()


class _Requests(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    folder: Path
    uploads: dict[str, dict[int, bytes]]
    numbers: Iterator[int]

    def do_GET(self) -> None:
        query = self._query()
        if query.get("list-type") == "2":
            self._list(query)
        elif set(query) <= {"x-id"} and self._path().is_file():
            self._answer(self._path().read_bytes())
        else:
            self._answer(status=404 if set(query) <= {"x-id"} else 501)

    def do_PUT(self) -> None:
        query, body = self._query(), self._body()
        if "uploadId" in query:
            self.uploads[query["uploadId"]][int(query["partNumber"])] = body
            self._answer(etag=True)
        else:
            self._write(body)

    def do_POST(self) -> None:
        query = self._query()
        self._body()
        if "uploads" in query:
            identity = str(next(self.numbers))
            self.uploads[identity] = {}
            self._xml("InitiateMultipartUploadResult", f"<UploadId>{identity}</UploadId>")
        elif "uploadId" in query:
            parts = self.uploads.pop(query["uploadId"])
            self._write(b"".join(parts[number] for number in sorted(parts)), "CompleteMultipartUploadResult")
        else:
            self._answer(status=501)

    def _list(self, query: dict[str, str]) -> None:
        """https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html, without delimiters."""
        bucket = self._path()
        files = (str(path.relative_to(bucket)) for path in bucket.rglob("*") if path.is_file())
        keys = sorted(key for key in files if key.startswith(query.get("prefix", "")))
        start = int(query.get("continuation-token", 0))
        page, more = keys[start : start + _PAGE], len(keys) > start + _PAGE
        rows = "".join(
            f"<Contents><Key>{escape(key)}</Key><Size>{(bucket / key).stat().st_size}</Size><ETag>e</ETag>"
            "<LastModified>2026-01-01T00:00:00Z</LastModified></Contents>"
            for key in page
        )
        after = f"<NextContinuationToken>{start + _PAGE}</NextContinuationToken>" if more else ""
        self._xml("ListBucketResult", f"<IsTruncated>{str(more).lower()}</IsTruncated>{after}{rows}")

    def _write(self, body: bytes, result: str = "") -> None:
        path = self._path()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
        self._xml(result, "<ETag>e</ETag>") if result else self._answer(etag=True)

    def _path(self) -> Path:
        path = (self.folder / unquote(urlsplit(self.path).path).lstrip("/")).resolve()
        assert path.is_relative_to(self.folder.resolve())
        return path

    def _query(self) -> dict[str, str]:
        return {key: values[0] for key, values in parse_qs(urlsplit(self.path).query, keep_blank_values=True).items()}

    def _body(self) -> bytes:
        assert "aws-chunked" not in self.headers.get("Content-Encoding", ""), "signed chunks are not read"
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def _xml(self, name: str, inside: str) -> None:
        self._answer(f'<?xml version="1.0" encoding="UTF-8"?><{name}>{inside}</{name}>'.encode())

    def _answer(self, body: bytes = b"", status: int = 200, etag: bool = False) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Last-Modified", "Thu, 01 Jan 2026 00:00:00 GMT")
        if etag or self.command == "GET":
            self.send_header("ETag", '"e"')
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""
