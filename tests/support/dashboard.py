"""A dashboard in a thread of this process, and requests to it."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import httpx
from aiohttp import web

from pipeline.dashboard.app import make_app
from pipeline.dashboard.security import Access
from pipeline.dashboard.sources import Sources
from pipeline.dashboard.workspaces import Workspaces


class HostedDashboard:
    """A dashboard over some folders, on a free port."""

    def __init__(self, *folders: Path, host: str = "127.0.0.1") -> None:
        self.access = Access(host)
        self._folders = folders
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> HostedDashboard:
        self._thread.start()
        port = asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(30)
        self.url = f"http://127.0.0.1:{port}"
        self._client = httpx.Client(base_url=self.url, timeout=30)
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()
        asyncio.run_coroutine_threadsafe(self._runner.cleanup(), self._loop).result(30)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def get(self, path: str, **headers: str) -> httpx.Response:
        return self._client.get(path, headers=headers)

    def text(self, path: str) -> str:
        """The page at `path`, which is there."""
        answer = self.get(path)
        assert answer.status_code == 200, answer.text
        return answer.text

    def post(self, path: str, form: dict[str, str], **headers: str) -> httpx.Response:
        return self._client.post(path, data=form, headers=headers)

    async def _start(self) -> int:
        app = make_app(Sources(Workspaces(self._folders)), self.access)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        return int(self._runner.addresses[0][1])
