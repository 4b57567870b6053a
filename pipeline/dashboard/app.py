"""The dashboard's web application: addresses and what answers them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import NoReturn

from aiohttp import web

from common.errors import UserError
from components.report.page import REPORT_FILE
from pipeline.dashboard import pages, security
from pipeline.dashboard.listing import Listing
from pipeline.dashboard.quarantined import file_of, read_quarantine
from pipeline.dashboard.registry_changes import Change, perform
from pipeline.dashboard.rows import MEAN_IOU
from pipeline.dashboard.run_log import find_log
from pipeline.dashboard.runs import Run
from pipeline.dashboard.security import Access
from pipeline.dashboard.sources import Snapshot, Sources
from pipeline.dashboard.thumbnails import thumbnail
from registry.store import Registry

_STATIC = Path(__file__).parent / "static"
_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_MOST_LOG = 4_000_000
_MOST_FORM = 20_000
_DECODERS = 2
"""Images that are decoded at a time."""
_DOCUMENT = {"Content-Security-Policy": security.DOCUMENT_POLICY}
_NO_PICTURE = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="160" height="110"><rect width="160" height="110" fill="#8884"/>'
    '<path d="M60 35 100 75M100 35 60 75" stroke="#888" stroke-width="4"/></svg>'
)


class Application:
    """Handlers of all addresses."""

    def __init__(self, sources: Sources, access: Access) -> None:
        self._sources = sources
        self._access = access
        self._decoding = asyncio.Semaphore(_DECODERS)

    def routes(self) -> list[web.RouteDef]:
        """Returns the addresses with their handlers."""
        of_run = "/w/{workspace}/runs/{run}"
        return [
            web.get("/", self.overview),
            web.get("/w/{workspace}/", self.workspace),
            web.get(of_run, self.run),
            web.get(f"{of_run}/report", self.report),
            web.get(f"{of_run}/log", self.log),
            web.get(f"{of_run}/quarantine", self.quarantine),
            web.get(rf"{of_run}/quarantine/{{number:\d{{1,9}}}}/{{part:image|mask}}", self.picture),
            web.get("/w/{workspace}/registry", self.registry),
            web.get(r"/w/{workspace}/registry/{version:\d{1,9}}/card", self.card),
            web.get("/w/{workspace}/registry/confirm", self.confirm),
            web.post("/w/{workspace}/registry/change", self.change),
            web.get("/token", self.ask_token),
            web.post("/token", self.take_token),
            web.get("/static/{name}", self.static),
        ]

    async def overview(self, request: web.Request) -> web.StreamResponse:
        """The start page; with one workspace, that one's."""
        snapshots = await asyncio.to_thread(self._sources.snapshots)
        if len(snapshots) == 1:
            raise web.HTTPFound(f"/w/{snapshots[0].workspace.key}/")
        return _page(await asyncio.to_thread(pages.overview, snapshots))

    async def workspace(self, request: web.Request) -> web.StreamResponse:
        """How a workspace stands, and its runs."""
        snapshot = await self._snapshot(request)
        listing, metric = Listing.of_query(request.query), request.query.get("metric", MEAN_IOU)
        return _page(await asyncio.to_thread(pages.workspace, snapshot, listing, metric))

    async def run(self, request: web.Request) -> web.StreamResponse:
        """A run."""
        snapshot, run = await self._run(request)
        return _page(await asyncio.to_thread(pages.run, snapshot, run))

    async def report(self, request: web.Request) -> web.StreamResponse:
        """The report that a run has written."""
        snapshot, run = await self._run(request)
        folder = run.report_folder
        path = snapshot.workspace.inside(folder / REPORT_FILE) if folder else None
        if path is None:
            _missing("This run has no report.")
        return await _file(path, "text/html", _DOCUMENT)

    async def log(self, request: web.Request) -> web.StreamResponse:
        """The end of a run's log, as text."""
        snapshot, run = await self._run(request)
        path = find_log(snapshot.workspace, run.log, run.began)
        if path is None:
            _missing("This run has no log.")
        return await _file(path, "text/plain", {}, last=_MOST_LOG)

    async def quarantine(self, request: web.Request) -> web.StreamResponse:
        """The quarantined pairs of a run."""
        snapshot, run = await self._run(request)
        found = await asyncio.to_thread(read_quarantine, run)
        page, reason = Listing.of_query(request.query).page, request.query.get("reason", "")
        return _page(await asyncio.to_thread(pages.quarantine, snapshot, run, found, reason, page))

    async def picture(self, request: web.Request) -> web.StreamResponse:
        """A quarantined image or mask, small; a cross for what cannot be shown."""
        _, run = await self._run(request)
        part, number = request.match_info["part"], int(request.match_info["number"])
        async with self._decoding:
            path = await asyncio.to_thread(file_of, run, number, "mask" if part == "mask" else "image")
            png = await asyncio.to_thread(thumbnail, path, part == "mask") if path else None
        if png is None:
            return web.Response(text=_NO_PICTURE, content_type="image/svg+xml")
        return web.Response(body=png, content_type="image/png")

    async def registry(self, request: web.Request) -> web.StreamResponse:
        """The versions of the registry."""
        snapshot = await self._snapshot(request)
        return _page(await asyncio.to_thread(pages.registry, snapshot, request.query.get("metric", MEAN_IOU)))

    async def card(self, request: web.Request) -> web.StreamResponse:
        """The model card of a version."""
        snapshot = await self._snapshot(request)
        version = int(request.match_info["version"])
        if snapshot.contents.find(version) is None:
            _missing(f"The registry has no version {version}.")
        text = await asyncio.to_thread(Registry(snapshot.contents.uri).card, version, "html")
        if text is None:
            _missing(f"Version {version} was pushed without a model card.")
        return web.Response(text=text, content_type="text/html", headers=_DOCUMENT)

    async def confirm(self, request: web.Request) -> web.StreamResponse:
        """The question before a change of the registry."""
        snapshot = await self._snapshot(request)
        return _page(await asyncio.to_thread(pages.confirmation, snapshot, Change.of_form(request.query)))

    async def change(self, request: web.Request) -> web.StreamResponse:
        """Changes the registry, if the token is right."""
        snapshot = await self._snapshot(request)
        form = await request.post()
        change = Change.of_form(form)
        if not self._access.is_token(security.form_token(form, request)):
            fault = "The token is missing or wrong; the terminal in which the dashboard was started shows it."
            return _page(pages.confirmation(snapshot, change, fault), HTTPStatus.FORBIDDEN)
        try:
            done = await asyncio.to_thread(perform, change, snapshot.contents)
        except UserError as error:
            return _page(pages.confirmation(snapshot, change, str(error)), HTTPStatus.CONFLICT)
        after = await self._snapshot(request)
        return _page(await asyncio.to_thread(pages.registry, after, MEAN_IOU, done))

    async def ask_token(self, request: web.Request) -> web.StreamResponse:
        """The form that takes the token, to read from another machine."""
        return _page(pages.token_form(security.local_target(request.query.get("to", "/"))))

    async def take_token(self, request: web.Request) -> web.StreamResponse:
        """Gives the cookie that allows reading for the token."""
        form = await request.post()
        target = security.local_target(str(form.get("to", "/")))
        if not self._access.is_token(security.form_token(form, request)):
            return _page(pages.token_form(target, "This is not the token."), HTTPStatus.FORBIDDEN)
        answer = web.Response(status=HTTPStatus.SEE_OTHER, headers={"Location": target})
        name = security.cookie_name(request)
        answer.set_cookie(name, self._access.read_cookie, httponly=True, samesite="Strict", path="/")
        return answer

    async def static(self, request: web.Request) -> web.StreamResponse:
        """Style sheet, script and icon."""
        name = request.match_info["name"]
        if name not in {path.name for path in _STATIC.iterdir()}:
            _missing("There is no such file.")
        return await _file(_STATIC / name, _TYPES[Path(name).suffix], {})

    async def _snapshot(self, request: web.Request) -> Snapshot:
        snapshot = await asyncio.to_thread(self._sources.snapshot, request.match_info["workspace"])
        if snapshot is None:
            _missing("There is no such workspace.")
        return snapshot

    async def _run(self, request: web.Request) -> tuple[Snapshot, Run]:
        snapshot = await self._snapshot(request)
        run = snapshot.run(request.match_info["run"])
        if run is None:
            _missing("This workspace has no such run.")
        return snapshot, run


def make_app(sources: Sources, access: Access) -> web.Application:
    """Returns the application; it must be called on a running event loop."""
    guard = security.guard(access, open_paths={"/token"})
    app = web.Application(middlewares=[guard, _faults_as_pages], client_max_size=_MOST_FORM)
    app.add_routes(Application(sources, access).routes())
    return app


@web.middleware
async def _faults_as_pages(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Shows what is missing or wrong as a page."""
    try:
        return await handler(request)
    except UserError as error:
        return _page(pages.message("This does not work", str(error)), HTTPStatus.BAD_REQUEST)
    except web.HTTPRedirection:
        raise
    except web.HTTPException as error:
        return _page(pages.message(error.reason, error.text or error.reason), HTTPStatus(error.status))


def _page(text: str, status: HTTPStatus = HTTPStatus.OK) -> web.Response:
    return web.Response(text=text, content_type="text/html", status=status)


async def _file(path: Path, content_type: str, headers: Mapping[str, str], last: int | None = None) -> web.Response:
    body = await asyncio.to_thread(_read, path, last)
    return web.Response(body=body, content_type=content_type, charset="utf-8", headers=headers)


def _read(path: Path, last: int | None) -> bytes:
    with path.open("rb") as file:
        if last is not None:
            file.seek(max(0, file.seek(0, 2) - last))
        return file.read()


def _missing(sentence: str) -> NoReturn:
    raise web.HTTPNotFound(text=sentence)


def addresses(host: str, port: int, token: str) -> tuple[str, str]:
    """Returns the addresses to print: without the token, and with it.

    The token is in the fragment, which browsers send to no server.
    """
    name = f"[{host}]" if ":" in host else "127.0.0.1" if host == "0.0.0.0" else host  # noqa: S104
    plain = f"http://{name}:{port}/"
    return plain, f"{plain}#token={token}"
