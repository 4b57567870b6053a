"""Compresses responses with gzip for clients that ask for it (RFC 9110, section 12.5.3)."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable

from aiohttp import hdrs, web

_SMALLEST_BYTES = 1024
_REFUSED = re.compile(r"\s*q\s*=\s*0(\.0{0,3})?\s*")
_NAMES = ("gzip", "x-gzip", "*")

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def compress_responses(app: web.Application) -> None:
    """Compresses the responses of `app`; small ones would not become smaller."""

    @web.middleware
    async def compress(request: web.Request, handler: Handler) -> web.StreamResponse:
        response = await handler(request)
        if isinstance(response, web.Response) and _is_large(response):
            response.headers.add(hdrs.VARY, hdrs.ACCEPT_ENCODING)
            if accepts_gzip(request.headers.get(hdrs.ACCEPT_ENCODING, "")):
                response.enable_compression(web.ContentCoding.gzip)
        return response

    app.middlewares.append(compress)


def accepts_gzip(header: str) -> bool:
    """Whether the header `Accept-Encoding` admits gzip; what it says of gzip counts before what it says of all."""
    said: dict[str, bool] = {}
    for part in header.lower().split(","):
        name, _, weight = part.partition(";")
        said[name.strip()] = not _REFUSED.fullmatch(weight)
    return next((said[name] for name in _NAMES if name in said), False)


def _is_large(response: web.Response) -> bool:
    return isinstance(response.body, (bytes, bytearray)) and len(response.body) >= _SMALLEST_BYTES
