"""Pool of Beam workers for an engine on this machine, or beside an engine's machine.

The engine asks the pool for a worker, and names the address that the worker is to serve (Beam's environment
`EXTERNAL`).  Beam's own pool (`worker_pool_main`) listens on all of the machine's addresses, and starts an interpreter
for each worker or shares its own among all.  Whoever reaches a pool can run code in it, so this one listens where it
is told.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc
from apache_beam.portability.api import beam_fn_api_pb2, beam_fn_api_pb2_grpc

from common import progress
from common.errors import UserError
from pipeline.beam.worker_boot import worker_environment
from pipeline.beam.worker_process import describe_death, start_worker

LOOPBACK = "127.0.0.1"
_SECONDS_TO_END = 10
_logger = logging.getLogger(__name__)


class WorkerPool(beam_fn_api_pb2_grpc.BeamFnExternalWorkerPoolServicer):
    """Starts and ends forked workers on request."""

    def __init__(self, logs_to_engine: bool) -> None:
        self._logs_to_engine = logs_to_engine
        self._workers: dict[str, Any] = {}
        self._lock = threading.Lock()

    def StartWorker(self, request: Any, context: Any) -> Any:  # gRPC's name.
        """Starts a worker; an error is in the answer."""
        del context
        try:
            variables = worker_environment(request.worker_id, request.provision_endpoint.url, self._logs_to_engine)
            process = start_worker(variables)
        except Exception as error:  # noqa: BLE001  # The engine shows it.
            return beam_fn_api_pb2.StartWorkerResponse(error=f"{type(error).__name__}: {error}")
        with self._lock:
            self._workers[request.worker_id] = process
        threading.Thread(target=self._watch, args=(request.worker_id, process), daemon=True).start()
        _logger.info("worker %s is process %d", request.worker_id, process.pid)
        return beam_fn_api_pb2.StartWorkerResponse()

    def StopWorker(self, request: Any, context: Any) -> Any:  # gRPC's name.
        """Ends a worker."""
        del context
        with self._lock:
            process = self._workers.pop(request.worker_id, None)
        if process is not None:
            _end(process)
        return beam_fn_api_pb2.StopWorkerResponse()

    def _watch(self, worker_id: str, process: Any) -> None:
        """Reports the end of a worker that nobody has asked to end; the engine gives its work to another."""
        process.join()
        with self._lock:
            was_asked = self._workers.pop(worker_id, None) is None
        if not was_asked and process.exitcode:
            progress.report(f"{describe_death(process.exitcode)}; the engine tries its work again")

    def end_all(self) -> None:
        """Ends the workers that the engine has left."""
        with self._lock:
            processes = list(self._workers.values())
            self._workers.clear()
        for process in processes:
            _end(process)


def _end(process: Any) -> None:
    process.terminate()
    process.join(_SECONDS_TO_END)
    if process.is_alive():
        process.kill()


@contextmanager
def serve_pool(host: str = LOOPBACK, port: int = 0, logs_to_engine: bool = False) -> Iterator[str]:
    """Serves a pool while the context is open; yields its address.

    Args:
        host: Address to listen on.
        port: Port; 0 is any free one.
        logs_to_engine: Whether the workers' log messages go to the engine, not to standard error.

    Raises:
        UserError: the port is taken.
    """
    server = grpc.server(ThreadPoolExecutor(), options=[("grpc.so_reuseport", 0)])
    pool = WorkerPool(logs_to_engine)
    beam_fn_api_pb2_grpc.add_BeamFnExternalWorkerPoolServicer_to_server(pool, server)
    try:
        bound = server.add_insecure_port(f"{host}:{port}")
    except RuntimeError:
        raise UserError(f"the address {host}:{port} cannot be listened on; end what uses it, or name another") from None
    server.start()
    try:
        yield f"{host}:{bound}"
    finally:
        server.stop(None)
        pool.end_all()
