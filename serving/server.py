"""Embedded server: gRPC and HTTP on one event loop, TensorFlow in a few threads."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from common.errors import UserError
from common.start_up import collect_as_usual
from registry.store import Registry
from serving import logs
from serving.batching import Batcher
from serving.canary.server_control import CanaryControl
from serving.dataplane import Dataplane
from serving.jobs import Jobs
from serving.metrics import Metrics
from serving.ports import check_port, port_refused
from serving.protocol.grpc_service import make_grpc_server
from serving.protocol.http_errors import PlainRunner
from serving.protocol.rest import make_app
from serving.settings import ServerSettings
from serving.versions.loaded import Versions, served_labels

if TYPE_CHECKING:
    from serving.request_log.writer import RequestLog

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_LOG_SECONDS = 1.0


class Server:
    """Server of one model."""

    def __init__(self, settings: ServerSettings, pages: Iterable[web.AbstractRouteDef] = ()) -> None:
        """Must be created on a running event loop; `pages` are HTTP routes beside the API."""
        self._settings = settings
        registry = Registry(settings.registry)
        metrics = Metrics()
        self._versions = Versions(registry, partial(served_labels, registry, settings.version), metrics)
        self._log = _start_log(settings, metrics)
        self._batcher = Batcher(settings.batching, metrics, self._log)
        self._canary = _make_canary_control(settings, registry, self._versions, metrics)
        self._canary_batcher = Batcher(settings.batching.model_copy(update={"workers": 1}), metrics, self._log)
        dataplane = Dataplane(
            self._versions, self._batcher, settings.limits, metrics, registry, self._canary, self._canary_batcher
        )
        self._jobs = Jobs(self._batcher, settings.jobs, settings.limits.seconds, metrics)
        self._grpc = make_grpc_server(dataplane)
        self._http = PlainRunner(
            make_app(dataplane, self._jobs, pages, settings.allow_origins),
            access_log=None,
            handler_cancellation=True,  # A request of a disconnected client is cancelled.
            shutdown_timeout=settings.grace_seconds,
        )
        self._watching: list[asyncio.Task[None]] = []

    async def start(self) -> tuple[int, int]:
        """Opens the ports of HTTP and gRPC, and starts polling the registry.

        Raises:
            UserError: a port is not available.
        """
        host = self._settings.host
        address = f"[{host}]" if ":" in host else host
        check_port(host, self._settings.grpc_port, "--grpc-port")
        grpc_port = self._grpc.add_insecure_port(f"{address}:{self._settings.grpc_port}")
        await self._http.setup()
        try:
            await web.TCPSite(self._http, host, self._settings.port).start()
        except OSError as error:
            raise port_refused(host, self._settings.port, "--port", error) from None
        await self._grpc.start()
        seconds = self._settings.poll_seconds
        self._watching = [asyncio.create_task(self._versions.watch(seconds))]
        if self._canary:
            self._watching.append(asyncio.create_task(self._canary.watch(seconds)))
        port = self._http.addresses[0][1]
        logs.event("listening", http=f"{address}:{port}", grpc=f"{address}:{grpc_port}")
        return port, grpc_port

    async def stop(self) -> bool:
        """Rejects new requests and finishes running ones within the grace period; returns whether all ended.

        The request log is written in what is left of that time, at least a second.
        """
        ends = time.monotonic() + self._settings.grace_seconds
        for task in self._watching:
            task.cancel()
        if self._canary:
            self._canary.close()
        self._jobs.close()
        await asyncio.gather(self._grpc.stop(self._settings.grace_seconds), self._http.cleanup())
        idle = not self._batcher.running and not self._canary_batcher.running
        self._batcher.close()
        self._canary_batcher.close()
        if self._log:
            await asyncio.to_thread(self._log.close, max(_LOG_SECONDS, ends - time.monotonic()))
        await self._versions.close()
        return idle


def serve(settings: ServerSettings, pages: Iterable[web.AbstractRouteDef] = ()) -> None:
    """Serves until SIGINT or SIGTERM; a second signal ends the process at once.

    Raises:
        UserError: a port is not available.
    """
    logs.start_log()
    logging.getLogger("aiohttp.server").addFilter(_is_not_invalid_http)
    collect_as_usual()
    gc.freeze()  # Imported objects stay: scanning them at each garbage collection would delay requests.
    asyncio.run(_serve(settings, pages))


def _start_log(settings: ServerSettings, metrics: Metrics) -> RequestLog | None:
    if settings.request_log is None:
        return None
    from serving.request_log.writer import RequestLog  # Imports pyarrow, which no other part of the server needs.

    return RequestLog(settings.request_log, metrics)


def _make_canary_control(
    settings: ServerSettings, registry: Registry, versions: Versions, metrics: Metrics
) -> CanaryControl | None:
    if not settings.decide_canaries or settings.version is not None:
        return None
    return CanaryControl(registry, versions, settings.limits.seconds, metrics.canary, settings.webhook)


def _is_not_invalid_http(record: logging.LogRecord) -> bool:
    """Filters out errors of invalid HTTP, which gets a 400: a traceback for each would let anybody fill the log."""
    return not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError))


async def _serve(settings: ServerSettings, pages: Iterable[web.AbstractRouteDef]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in _SIGNALS:
        loop.add_signal_handler(number, _stopper(stop, number))
    server = Server(settings, pages)
    try:
        await server.start()
    except UserError:
        await server.stop()
        raise
    await stop.wait()
    logs.event("stopping", grace_seconds=settings.grace_seconds)
    finished = await server.stop()
    logs.event("stopped", finished=finished)
    # A thread that loads a model or runs a graph cannot be stopped, and Python would wait for it.
    os._exit(0)


def _stopper(stop: asyncio.Event, number: int) -> Callable[[], None]:
    def on_signal() -> None:
        if stop.is_set():
            os._exit(128 + number)
        stop.set()

    return on_signal
