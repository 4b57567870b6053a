"""`tensorflow_model_server` in place of the embedded server, kept in line with the registry.

It does not read S3 or verify hashes, and would serve whatever is in a folder; so versions are copied and verified for
it, and its versions and labels are set by a HandleReloadConfigRequest call.
"""

from __future__ import annotations

import asyncio
import shutil
import signal
import tempfile
import time
from collections.abc import Collection, Mapping
from pathlib import Path

import grpc
from tensorflow_serving.apis import get_model_status_pb2, model_management_pb2, model_service_pb2_grpc
from tensorflow_serving.apis.get_model_status_pb2 import ModelVersionStatus

from common.errors import UserError
from registry.store import Registry
from serving import logs
from serving.metrics import METRICS_PATH
from serving.settings import Batching, ServerSettings
from serving.versions.loaded import served_labels
from serving.versions.model_config import model_config
from serving.versions.refusals import Refusals

PROGRAM = "tensorflow_model_server"
_LOAD_SECONDS = 300
_LOOK_SECONDS = 0.2


def batching_config(batching: Batching, waiting: int) -> str:
    """Returns `BatchingParameters` (servables/tensorflow/session_bundle_config.proto); `waiting` batches may queue."""
    values = {
        "max_batch_size": batching.pictures,
        "batch_timeout_micros": round(batching.wait_seconds * 1e6),
        "max_enqueued_batches": waiting,
        "num_batch_threads": batching.workers,
    }
    return "".join(f"{name} {{ value: {value} }}\n" for name, value in values.items())


def monitoring_config() -> str:
    """Returns `MonitoringConfig` as text (config/monitoring_config.proto), with the embedded server's metrics path."""
    return f'prometheus_config {{ enable: true, path: "{METRICS_PATH}" }}\n'


class ModelServer:
    """The process, with the versions and labels that it is configured with."""

    def __init__(self, settings: ServerSettings, folder: Path) -> None:
        """`folder` is for its configuration files and versions."""
        self._settings = settings
        self._registry = Registry(settings.registry)
        self._folder = folder
        self._models = folder / "models"
        self._labels: dict[str, int] = {}
        self._name = ""
        self._process: asyncio.subprocess.Process | None = None
        self._refusals = Refusals()
        self._trouble = ""

    def command(self) -> list[str]:
        """Returns the command line, after writing the files that it names."""
        settings, config = self._settings, self._folder / "models.config"
        config.write_text("model_config_list {}\n")
        monitoring = self._folder / "monitoring.config"
        monitoring.write_text(monitoring_config())
        options = [
            f"--port={settings.grpc_port}",
            f"--rest_api_port={settings.port}",
            f"--rest_api_timeout_in_ms={round(settings.limits.seconds * 1000)}",
            f"--model_config_file={config}",
            f"--monitoring_config_file={monitoring}",
        ]
        if settings.batching.pictures > 1:
            batching = self._folder / "batching.config"
            batching.write_text(batching_config(settings.batching, settings.limits.requests))
            options += ["--enable_batching=true", f"--batching_parameters_file={batching}"]
        return [PROGRAM, *options]

    async def run(self, stop: asyncio.Event) -> None:
        """Runs the process and reconciles its versions with the registry, until `stop` is set.

        Raises:
            UserError: the process has exited by itself.
        """
        self._process = await asyncio.create_subprocess_exec(*self.command())
        logs.event("started", program=PROGRAM, http=self._settings.port, grpc=self._settings.grpc_port)
        ended = asyncio.create_task(self._process.wait())
        stopped = asyncio.create_task(stop.wait())
        watching = asyncio.create_task(self._watch())
        await asyncio.wait({ended, stopped}, return_when=asyncio.FIRST_COMPLETED)
        watching.cancel()
        stopped.cancel()
        if not stop.is_set():
            raise UserError(f"{PROGRAM} exited with the status {ended.result()}; see the last lines of its log")
        if not ended.done():
            self._process.send_signal(signal.SIGTERM)
        await ended

    async def _watch(self) -> None:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{self._settings.grpc_port}") as channel:
            await channel.channel_ready()
            stub = model_service_pb2_grpc.ModelServiceStub(channel)
            while True:
                try:
                    await self._follow(stub)
                    self._note("")
                except Exception as error:  # noqa: BLE001  # Loaded versions stay; the next poll may succeed.
                    self._note(_reason(error))
                await asyncio.sleep(self._settings.poll_seconds)

    def _note(self, trouble: str) -> None:
        """Logs an error, or that it is over; a repeated error is logged once."""
        if trouble and trouble != self._trouble:
            logs.warning("registry_not_followed", reason=trouble)
        if self._trouble and not trouble:
            logs.event("registry_followed")
        self._trouble = trouble

    async def _follow(self, stub: model_service_pb2_grpc.ModelServiceStub) -> None:
        """Polls the registry once; versions change in two steps, so that no label is ever without its version."""
        wanted = self._trusted(await asyncio.to_thread(served_labels, self._registry, self._settings.version))
        if not wanted or wanted == self._labels:
            return
        held = set(self._labels.values())
        for version in sorted(set(wanted.values()) - held):
            held.add(version)
            try:
                await asyncio.to_thread(self._fetch, version)
                await self._configure(stub, held, self._labels)
                await self._available(stub, {version})
            except Exception:
                self._refusals.refuse(version)
                if self._labels:
                    await self._configure(stub, self._labels.values(), self._labels)
                raise
        await self._configure(stub, set(wanted.values()), wanted)
        self._labels = wanted
        for version in wanted.values():
            self._refusals.forgive(version)
        self._remove_others(set(wanted.values()))
        logs.event("labels_moved", model=self._name, **wanted)

    def _trusted(self, wanted: Mapping[str, int]) -> dict[str, int]:
        """Returns the labels; one whose version was refused recently keeps its old version."""
        chosen = {
            label: self._labels.get(label) if self._refusals.holds(version) else version
            for label, version in wanted.items()
        }
        return {label: version for label, version in chosen.items() if version is not None}

    def _fetch(self, version: int) -> None:
        target = self._models / str(version)
        if not target.exists():
            self._models.mkdir(exist_ok=True)
            self._name = self._registry.fetch(version, str(target)).model_name

    def _remove_others(self, versions: Collection[int]) -> None:
        for folder in self._models.iterdir():
            if folder.name.isdigit() and int(folder.name) not in versions:
                shutil.rmtree(folder, ignore_errors=True)

    async def _configure(
        self, stub: model_service_pb2_grpc.ModelServiceStub, versions: Collection[int], labels: Mapping[str, int]
    ) -> None:
        request = model_management_pb2.ReloadConfigRequest()
        request.config.CopyFrom(model_config(self._name, str(self._models), set(versions), labels))
        await stub.HandleReloadConfigRequest(request, timeout=_LOAD_SECONDS)

    async def _available(self, stub: model_service_pb2_grpc.ModelServiceStub, versions: Collection[int]) -> None:
        request = get_model_status_pb2.GetModelStatusRequest()
        request.model_spec.name = self._name
        end = time.monotonic() + _LOAD_SECONDS
        waiting = set(versions)
        while waiting:
            for status in (await stub.GetModelStatus(request, timeout=10)).model_version_status:
                if status.version in waiting and status.state == ModelVersionStatus.END:
                    raise UserError(f"version {status.version} was not loaded: {status.status.error_message}")
                if status.state == ModelVersionStatus.AVAILABLE:
                    waiting.discard(status.version)
            if time.monotonic() > end:
                raise UserError(f"version {min(waiting)} was not loaded in {_LOAD_SECONDS} seconds")
            if waiting:
                await asyncio.sleep(_LOOK_SECONDS)


def serve(settings: ServerSettings) -> None:
    """Runs `tensorflow_model_server` until a signal stops it.

    Raises:
        UserError: it is not installed, has exited by itself, or does not support the settings.
    """
    if shutil.which(PROGRAM) is None:
        raise UserError(f"{PROGRAM} is not on the PATH: install TensorFlow Serving, or use --engine embedded")
    if settings.host != "0.0.0.0":  # noqa: S104  # The program listens on all addresses.
        raise UserError(f"{PROGRAM} listens on all addresses: use --host 0.0.0.0 to allow that")
    if not settings.port or not settings.grpc_port:
        raise UserError(f"{PROGRAM} cannot choose free ports: set them with --port and --grpc-port")
    logs.start_log()
    with tempfile.TemporaryDirectory(prefix="segpipe-serve-") as folder:
        asyncio.run(_serve(settings, Path(folder)))


async def _serve(settings: ServerSettings, folder: Path) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    await ModelServer(settings, folder).run(stop)


def _reason(error: Exception) -> str:
    return str(error.details()) if isinstance(error, grpc.aio.AioRpcError) else str(error)
