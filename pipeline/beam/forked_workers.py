"""Beam's multi-processing on one machine, with workers that are forked.

`--direct_running_mode=multi_processing` of Beam's FnApiRunner starts a command for each worker.  The handler here takes
its place under Beam's own registry of environments; options, protocol and worker stay Beam's.
"""

from __future__ import annotations

import functools
import signal
import threading
from typing import Any

from apache_beam.portability import python_urns
from apache_beam.portability.api import endpoints_pb2
from apache_beam.runners.portability.fn_api_runner.worker_handlers import GrpcWorkerHandler, WorkerHandler
from google.protobuf import json_format, text_format

from common.errors import RESUME, UserError
from common.tensorflow_environment import thread_limits
from pipeline.beam.worker_process import describe_death, start_worker

_SECONDS_TO_END = 10


def fork_workers(threads: int) -> None:
    """Makes Beam's multi-processing fork its workers; call it before a pipeline runs.

    Args:
        threads: How many threads TensorFlow has in each of them.
    """
    handler = functools.partial(ForkedWorkerHandler, threads)
    WorkerHandler.register_environment(python_urns.SUBPROCESS_SDK, bytes)(handler)


class ForkedWorkerHandler(GrpcWorkerHandler):
    """Starts and ends one forked worker, and fails the step if the worker dies."""

    def __init__(self, threads: int, command: bytes, state: Any, provision_info: Any, grpc_server: Any) -> None:
        del command  # An interpreter with Beam's worker.
        super().__init__(state, provision_info, grpc_server)
        self._threads = threads
        self._ended = False

    def start_worker(self) -> None:
        """Starts the process."""
        control = endpoints_pb2.ApiServiceDescriptor(url=self.control_address)
        self._process = start_worker(
            {
                "CONTROL_API_SERVICE_DESCRIPTOR": text_format.MessageToString(control),
                "PIPELINE_OPTIONS": json_format.MessageToJson(self.provision_info.provision_info.pipeline_options),
                "WORKER_ID": self.worker_id,
                **thread_limits(self._threads),
            }
        )
        threading.Thread(target=self._watch, daemon=True).start()

    def stop_worker(self) -> None:
        """Waits for the process, which ends when its control channel is closed."""
        self._ended = True
        self._process.join(_SECONDS_TO_END)
        if self._process.is_alive():
            self._process.kill()

    def _watch(self) -> None:
        self._process.join()
        if not self._ended:
            self.control_conn.abort(UserError(_death(self._process.exitcode)))


def _death(status: int | None) -> str:
    if status != -signal.SIGKILL:
        return describe_death(status)
    return f"{describe_death(status)}: lower beam.workers, data.limits.max_pixels or data.shard_bytes; then {RESUME}"
