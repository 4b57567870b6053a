"""TensorFlow Serving's REST API, as far as one picture needs it."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from .address import Address
from .answer import Answer
from .errors import (
    DeadlineExceededError,
    PictureRefusedError,
    SegmentationError,
    ServerUnavailableError,
    not_found,
    sentence,
)

if TYPE_CHECKING:
    import httpx

VERSION_HEADER = "Segpipe-Model-Version"
"""The version that answered, which TensorFlow Serving tells over gRPC only; the embedded server sends this header."""

_CONNECT_SECONDS = 5.0
_REFUSED = (400, 413)
_UNAVAILABLE = (429, 502, 503)
_OUT_OF_TIME = (408, 504)
_NOT_FOUND = 404


class RestTransport:
    """Pooled connections for threads."""

    def __init__(self, address: Address, headers: Mapping[str, str], ca_file: str | None) -> None:
        import httpx

        self._url = address.predict_url
        self._client = httpx.Client(headers=headers, **_tls(ca_file))

    def send(self, picture: bytes, seconds: float) -> Answer:
        """One attempt.

        Raises:
            SegmentationError: of the kind that fits.
        """
        ends = time.monotonic() + seconds
        parts = []
        with (
            _told(self._url),
            self._client.stream("POST", self._url, content=request_json(picture), timeout=_limits(seconds)) as response,
        ):
            for part in response.iter_bytes():
                parts.append(part)
                if time.monotonic() > ends:  # httpx limits each wait, not their sum.
                    raise DeadlineExceededError(f"the answer was not complete within {seconds:.3g} s")
        return read_answer(response.status_code, response.headers, b"".join(parts))

    def close(self) -> None:
        """Closes the connections."""
        self._client.close()


class AsyncRestTransport:
    """Pooled connections for one event loop."""

    def __init__(self, address: Address, headers: Mapping[str, str], ca_file: str | None) -> None:
        import httpx

        self._url = address.predict_url
        self._client = httpx.AsyncClient(headers=headers, **_tls(ca_file))

    async def send(self, picture: bytes, seconds: float) -> Answer:
        """One attempt.

        Raises:
            SegmentationError: of the kind that fits.
        """
        import asyncio

        call = self._client.post(self._url, content=request_json(picture), timeout=_limits(seconds))
        with _told(self._url):
            try:
                response = await asyncio.wait_for(call, seconds)
            except asyncio.TimeoutError:
                raise DeadlineExceededError(f"no answer within {seconds:.3g} s") from None
        return read_answer(response.status_code, response.headers, response.content)

    async def close(self) -> None:
        """Closes the connections."""
        await self._client.aclose()


def request_json(picture: bytes) -> bytes:
    """The body of a request."""
    # Base64 needs no escapes, so no JSON encoder has to look at megabytes.
    return b'{"instances":[{"b64":"' + base64.b64encode(picture) + b'"}]}'


def read_answer(status: int, headers: Mapping[str, str], body: bytes) -> Answer:
    """The answer in a response.

    Raises:
        SegmentationError: it is an error, or no answer of a segmentation model.
    """
    if status != 200:
        raise _error(status, headers, body)
    try:
        (row,) = json.loads(body)["predictions"]
        return Answer(
            mask_png=base64.b64decode(row["mask_bytes"]["b64"]),
            class_fractions_C=[float(share) for share in row["class_fractions"]],
            mean_confidence=float(row["mean_confidence"]),
            class_names=tuple(str(name) for name in row.get("class_names", ())),
            version=int(headers[VERSION_HEADER]) if VERSION_HEADER in headers else None,
        )
    except (ValueError, KeyError, TypeError) as error:
        raise SegmentationError(
            f"the server's answer is not that of a segmentation model ({type(error).__name__}: {error})"
        ) from None


def _error(status: int, headers: Mapping[str, str], body: bytes) -> SegmentationError:
    message = _message(body) or f"HTTP status {status}"
    if status in _REFUSED:
        return PictureRefusedError(sentence(message))
    if status in _UNAVAILABLE:
        return ServerUnavailableError(message, _retry_after(headers))
    if status in _OUT_OF_TIME:
        return DeadlineExceededError(message)
    return SegmentationError(not_found(message) if status == _NOT_FOUND else f"{message} (HTTP status {status})")


def _message(body: bytes) -> str:
    """The `error` of the body; what is no such JSON, such as a proxy's page, is not shown."""
    try:
        document = json.loads(body)
    except ValueError:
        return ""
    return str(document.get("error", "")) if isinstance(document, dict) else ""


def _retry_after(headers: Mapping[str, str]) -> float:
    """Seconds; the form with a date is not read (RFC 9110, 10.2.3)."""
    given = headers.get("Retry-After", "")
    return float(given) if given.isascii() and given.isdigit() else 0.0


@contextmanager
def _told(url: str) -> Iterator[None]:
    """Turns httpx's exceptions into ours."""
    import httpx

    try:
        yield
    except (httpx.ConnectTimeout, httpx.PoolTimeout) as error:
        raise ServerUnavailableError(f"cannot connect to {url} in time") from error
    except httpx.TimeoutException as error:
        raise DeadlineExceededError(f"no answer from {url} in time") from error
    except httpx.RemoteProtocolError as error:
        if "disconnected" in str(error) or "closed" in str(error):
            raise ServerUnavailableError(f"cannot reach {url}: {error}") from error
        raise ServerUnavailableError(
            f"what answers at {url} does not speak HTTP: it may be the port of gRPC"
        ) from error
    except httpx.TransportError as error:
        raise ServerUnavailableError(f"cannot reach {url}: {str(error) or type(error).__name__}") from error


def _limits(seconds: float) -> httpx.Timeout:
    import httpx

    return httpx.Timeout(seconds, connect=min(seconds, _CONNECT_SECONDS))


def _tls(ca_file: str | None) -> dict[str, Any]:
    import ssl

    return {"verify": ssl.create_default_context(cafile=ca_file)} if ca_file else {}
