"""Web page for trying the model: static files that call the REST API of the same server."""

from __future__ import annotations

import json
from pathlib import Path

from aiohttp import web

from common.palette import hex_colour
from common.records import MAX_CLASSES

_FOLDER = Path(__file__).parent / "static"
_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_HEADERS = {
    # No resources of other origins, no inline script or style, no framing by other pages.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


def page_routes() -> list[web.RouteDef]:
    """Returns the routes `/` and, below `/page/`, its resources; all files are read now."""
    routes = [
        _route("/" if path.suffix == ".html" else f"/page/{path.name}", path.read_text("utf-8"), _TYPES[path.suffix])
        for path in sorted(_FOLDER.iterdir())
    ]
    palette = [hex_colour(index) for index in range(MAX_CLASSES)]
    return [*routes, _route("/page/palette.json", json.dumps(palette), "application/json")]


def _route(address: str, text: str, content_type: str) -> web.RouteDef:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(text=text, content_type=content_type, charset="utf-8", headers=_HEADERS)

    return web.get(address, answer)
