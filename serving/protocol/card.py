"""The model card over HTTP: `GET /v1/models/NAME[/versions/N|/labels/L]/card`, which only this server has."""

from __future__ import annotations

from collections.abc import Mapping

from aiohttp import web

from registry.cards import FORMS, CardForm
from segpipe_client.errors import shortened
from serving.errors import invalid

_TYPES: Mapping[CardForm, str] = {"html": "text/html", "json": "application/json", "md": "text/markdown"}
_HEADERS = {
    # The page has a style of its own and nothing else.
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
    "Vary": "Accept",
}


def asked_form(request: web.Request) -> CardForm:
    """Returns the form that `?format=` or else the header `Accept` names; by default the page.

    Raises:
        ServingError: the format is unknown.
    """
    if wanted := request.query.get("format"):
        for form in FORMS:
            if form == wanted:
                return form
        raise invalid(f"format {shortened(wanted)} is none of {', '.join(FORMS)}")
    accepted = [part.partition(";")[0].strip().lower() for part in request.headers.get("Accept", "").split(",")]
    by_type = {content_type: form for form, content_type in _TYPES.items()}
    return next((by_type[name] for name in accepted if name in by_type), "html")


def card_response(form: CardForm, text: str) -> web.Response:
    """Returns the response with a card."""
    return web.Response(text=text, content_type=_TYPES[form], charset="utf-8", headers=_HEADERS)
