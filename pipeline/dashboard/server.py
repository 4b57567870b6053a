"""Runs the dashboard's web application until it is stopped."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable

from aiohttp import web

from pipeline.dashboard.app import make_app
from pipeline.dashboard.security import Access
from pipeline.dashboard.sources import Sources
from serving.ports import port_refused

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def serve_dashboard(sources: Sources, access: Access, port: int, started: Callable[[int], None]) -> None:
    """Serves the dashboard until SIGINT or SIGTERM; calls `started` with the port.

    Raises:
        UserError: the port is not available.
    """
    asyncio.run(_serve(sources, access, port, started))


async def _serve(sources: Sources, access: Access, port: int, started: Callable[[int], None]) -> None:
    runner = web.AppRunner(make_app(sources, access), access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        site = web.TCPSite(runner, access.host, port)
        try:
            await site.start()
        except OSError as error:
            raise port_refused(access.host, port, "--port", error) from None
        started(runner.addresses[0][1])
        await asyncio.to_thread(_warm, sources)
        await _stopped()
    finally:
        await runner.cleanup()


def _warm(sources: Sources) -> None:
    """Reads everything once, so that the first page is fast."""
    with contextlib.suppress(Exception):  # Each page reports what it cannot read.
        sources.snapshots()


async def _stopped() -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in _SIGNALS:
        loop.add_signal_handler(number, stop.set)
    await stop.wait()
