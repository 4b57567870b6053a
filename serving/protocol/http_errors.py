"""Responses to invalid HTTP: aiohttp's own repeat kilobytes of the request."""

from __future__ import annotations

from http import HTTPStatus

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from segpipe_client.errors import shortened
from serving.protocol.rest_json import error_json


class PlainRunner(web.AppRunner):
    """Application runner whose HTTP errors are one sentence of JSON, without an echo of the request."""

    async def _make_server(self) -> web.Server:
        server = await super()._make_server()
        return _Server(
            server.request_handler,
            request_factory=server.request_factory,
            loop=server._loop,  # aiohttp has no public way to choose the connection class.
            **server._kwargs,
        )


class _Server(web.Server):
    def __call__(self) -> RequestHandler:
        return _Connection(self, loop=self._loop, **self._kwargs)


class _Connection(RequestHandler):
    __slots__ = ()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Like aiohttp's method, which logs the error, with another response body."""
        made = super().handle_error(request, status, exc, message)
        if not isinstance(made, web.Response):
            return made
        answer = web.Response(
            body=error_json(_sentence(status, message)), status=status, content_type="application/json"
        )
        answer.force_close()
        return answer


def first_words(message: str) -> str:
    """Returns a parser's message without the input that it quotes."""
    lines = message.strip().splitlines() or [""]
    first = next((line for line in lines if not line.startswith(("400, message", "message"))), lines[-1])
    return shortened(first.strip().partition(":")[0].partition("b'")[0].strip(" '\""))


def _sentence(status: int, message: str | None) -> str:
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return HTTPStatus(status).phrase
    words = first_words(message or "")
    return "the request is not valid HTTP" + (f": {words}" if words else "")
