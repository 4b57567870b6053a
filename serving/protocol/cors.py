"""Cross-origin requests (CORS): which other origins' web pages may call the REST API (Fetch standard, section 3.3)."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence

from aiohttp import hdrs, web

from segpipe_client.documents import VERSION_HEADER
from segpipe_client.errors import shortened
from segpipe_client.v2_documents import JSON_LENGTH
from serving.protocol.origins import ANY
from serving.protocol.rest_json import error_json

_EXPOSED = f"{VERSION_HEADER}, {JSON_LENGTH}, Retry-After"
_METHODS = "GET, POST, DELETE"
_SECONDS = "600"
_HEADER_NAMES = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+(\s*,\s*[A-Za-z0-9!#$%&'*+.^_`|~-]+)*")
_PRIVATE_NETWORK = "Access-Control-Request-Private-Network"

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def allow_origins(app: web.Application, origins: Sequence[str]) -> None:
    """Allows pages of the origins to call `app` from a browser; without origins the server sends no CORS headers.

    It does not protect the server: clients that are not browsers are not restricted.
    """
    if not origins:
        return
    allowed = frozenset(origins)

    async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
        response.headers.add(hdrs.VARY, hdrs.ORIGIN)
        if origin := _granted(request, allowed):
            response.headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN] = origin
            response.headers[hdrs.ACCESS_CONTROL_EXPOSE_HEADERS] = _EXPOSED

    @web.middleware
    async def answer_preflight(request: web.Request, handler: Handler) -> web.StreamResponse:
        return _preflight(request, allowed) if _is_preflight(request) else await handler(request)

    app.on_response_prepare.append(add_headers)
    app.middlewares.append(answer_preflight)


def _granted(request: web.Request, allowed: frozenset[str]) -> str | None:
    """Returns the value of `Access-Control-Allow-Origin`; None if the request's origin is not allowed."""
    origin = request.headers.get(hdrs.ORIGIN)
    if origin is None:
        return None
    return ANY if ANY in allowed else origin if origin in allowed else None


def _is_preflight(request: web.Request) -> bool:
    return (
        request.method == hdrs.METH_OPTIONS
        and hdrs.ORIGIN in request.headers
        and hdrs.ACCESS_CONTROL_REQUEST_METHOD in request.headers
    )


def _preflight(request: web.Request, allowed: frozenset[str]) -> web.Response:
    """Returns the response to a browser's preflight request."""
    if _granted(request, allowed) is None:
        origin = shortened(request.headers[hdrs.ORIGIN])
        return web.Response(
            body=error_json(f"pages of {origin} may not call this server: allow the origin with --allow-origin"),
            status=403,
            content_type="application/json",
        )
    headers: dict[str, str] = {hdrs.ACCESS_CONTROL_ALLOW_METHODS: _METHODS, hdrs.ACCESS_CONTROL_MAX_AGE: _SECONDS}
    wanted = request.headers.get(hdrs.ACCESS_CONTROL_REQUEST_HEADERS, "").strip()
    if wanted and len(wanted) <= 1024 and _HEADER_NAMES.fullmatch(wanted):
        headers[hdrs.ACCESS_CONTROL_ALLOW_HEADERS] = wanted
    if request.headers.get(_PRIVATE_NETWORK) == "true":
        headers["Access-Control-Allow-Private-Network"] = "true"
    return web.Response(status=204, headers=headers)
