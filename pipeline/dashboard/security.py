"""Who may read and change: hosts, origins and the token; headers of every response.

A page of another origin can send requests to this server from the reader's browser, and by DNS rebinding even under its
own name.  So the header `Host` must be a name of this machine, requests of other origins are refused, and what changes
something needs the token, which only the terminal shows.
"""

from __future__ import annotations

import functools
import hashlib
import hmac
import ipaddress
import secrets
import socket
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from aiohttp import web

from components.report.viewer import page_policy

if TYPE_CHECKING:
    from aiohttp.typedefs import Middleware

TOKEN_FIELD = "token"  # noqa: S105  # The name of the field.
TOKEN_HEADER = "X-Segpipe-Token"  # noqa: S105

PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
DOCUMENT_POLICY = f"sandbox allow-popups allow-scripts; {page_policy()}; frame-ancestors 'none'"
"""For pages that a run has written, such as its report: their own styles and images, the report's own script, known by
its hash, and an origin of their own."""
_HEADERS = {
    "Content-Security-Policy": PAGE_POLICY,
    "X-Content-Type-Options": "nosniff",
    # Not no-referrer, with which browsers send the origin `null` with forms.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-cache",
}
_LOCAL_NAMES = frozenset({"localhost"})

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True)
class Access:
    """Rules of one server."""

    host: str
    """The address that it listens on."""
    names: frozenset[str] = frozenset()
    """Further host names by which browsers may call it."""
    token: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach it; then reading needs no token."""
        return self.host in _LOCAL_NAMES or (_is_address(self.host) and ipaddress.ip_address(self.host).is_loopback)

    @property
    def read_cookie(self) -> str:
        """Value of the cookie that allows reading; the token cannot be computed from it.

        Cookies do not know ports: other servers of this host get it too, so it must not allow changes.
        """
        return hmac.new(self.token.encode(), b"read", hashlib.sha256).hexdigest()

    def allows_host(self, header: str) -> bool:
        """Returns whether the header `Host` names this server: by address, as localhost, or by an allowed name.

        Ports do not matter, since one may be forwarded from another machine.
        """
        try:
            name = urlsplit(f"//{header}").hostname or ""
        except ValueError:
            return False
        if self.is_local:
            return name in _LOCAL_NAMES | self.names or (_is_address(name) and ipaddress.ip_address(name).is_loopback)
        return name in _LOCAL_NAMES | self.names | _own_names() or _is_address(name)

    def is_token(self, given: str) -> bool:
        """Returns whether `given` is the token, in constant time."""
        return hmac.compare_digest(given.encode(), self.token.encode())

    def may_read(self, request: web.Request) -> bool:
        """Returns whether a request may read pages."""
        cookie = request.cookies.get(cookie_name(request), "")
        return (
            self.is_local
            or hmac.compare_digest(cookie.encode(), self.read_cookie.encode())
            or self.is_token(request.headers.get(TOKEN_HEADER, ""))
        )


def cookie_name(request: web.Request) -> str:
    """Returns the name of the cookie, with the port: servers of one host share their cookies."""
    try:
        port = urlsplit(f"//{request.host}").port or 80
    except ValueError:
        port = 80
    return f"segpipe-dashboard-{port}"


def is_own_origin(request: web.Request) -> bool:
    """Returns whether a request comes from this server's own pages, or from no page at all."""
    origin = request.headers.get("Origin")
    if origin is not None:
        return origin.partition("://")[0] in ("http", "https") and origin.partition("://")[2] == request.host
    site = request.headers.get("Sec-Fetch-Site", "none")
    follows_link = request.method in ("GET", "HEAD") and request.headers.get("Sec-Fetch-Mode") == "navigate"
    return site in ("same-origin", "none") or follows_link


def guard(access: Access, open_paths: Collection[str]) -> Middleware:
    """Returns the middleware that refuses requests and sets headers; `open_paths` may be read without the token."""

    @web.middleware
    async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
        if not access.allows_host(request.host):
            return refusal(403, "this host name is not allowed; see --allow-host")
        if not is_own_origin(request):
            return refusal(403, "requests of other origins are refused")
        if request.path not in open_paths and not request.path.startswith("/static/") and not access.may_read(request):
            raise web.HTTPFound(f"/token?to={_escaped_path(request)}", headers=_HEADERS)
        response = await handler(request)
        for name, value in _HEADERS.items():
            response.headers.setdefault(name, value)
        return response

    return guarded


def refusal(status: int, sentence: str) -> web.Response:
    """Returns a response with one sentence."""
    return web.Response(status=status, text=f"{sentence}\n", headers=_HEADERS)


def local_target(path: str) -> str:
    """Returns a path of this server to go to; the start page for anything that is not one."""
    return path if path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable() else "/"


def form_token(form: Mapping[str, object], request: web.Request) -> str:
    """Returns the token that a request has as a form's field or as a header; empty if it has none."""
    given = form.get(TOKEN_FIELD)
    return given if isinstance(given, str) and given else request.headers.get(TOKEN_HEADER, "")


def _escaped_path(request: web.Request) -> str:
    return quote(request.path_qs if request.method == "GET" else "/", safe="")


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


@functools.cache
def _own_names() -> frozenset[str]:
    return frozenset({socket.gethostname().lower(), socket.getfqdn().lower()})
