"""`segpipe serve`: turns the command's options into the server's settings."""

from __future__ import annotations

import os
import shutil
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from common.compatibility import import_tensorflow
from common.errors import UserError
from common.settings_errors import mistakes_in
from common.webhook import WEBHOOK_VARIABLE
from serving.ports import check_port
from serving.request_log.folder import LogFolder
from serving.settings import MEGABYTE, ServerSettings

_OPTIONS = {
    "version": "version",
    "allow_origin": "allow_origins",
    "host": "host",
    "port": "port",
    "grpc_port": "grpc_port",
    "poll": "poll_seconds",
    "grace": "grace_seconds",
    "timeout": "limits.seconds",
    "max_body": "limits.body_bytes",
    "max_pictures": "limits.pictures",
    "max_requests": "limits.requests",
    "max_jobs": "jobs.count",
    "batch": "batching.pictures",
    "batch_wait": "batching.wait_seconds",
    "workers": "batching.workers",
    "webhook": "webhook",
    "decide_canaries": "decide_canaries",
    "log": "request_log.uri",
    "log_sample": "request_log.sample",
    "log_rows": "request_log.rows",
    "log_seconds": "request_log.seconds",
    "log_queue": "request_log.queue",
    "log_images": "request_log.images",
    "log_image_days": "request_log.image_days",
    "log_image_megabytes": "request_log.image_megabytes",
}
_LOG_IMAGE_LIMITS = ("log_image_days", "log_image_megabytes")


def serve_registry(registry: str, engine: str, options: dict[str, Any]) -> None:
    """Serves the registry's served version until it is stopped.

    Raises:
        UserError: an option is invalid, or a port is not available.
    """
    _check_log_options(options)
    settings = _settings(registry, options | {"allow_origin": _origins(options["allow_origin"])})
    check_port(settings.host, settings.port, "--port")
    check_port(settings.host, settings.grpc_port, "--grpc-port")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    warnings.simplefilter("ignore", FutureWarning)  # Warnings of Google's clients about old Python versions.
    if engine == "tensorflow_model_server" or (engine == "auto" and _prefers_model_server(settings)):
        if settings.allow_origins:
            raise UserError(
                "tensorflow_model_server does not support CORS: leave --allow-origin out and let a proxy "
                "add the headers, or choose --engine embedded"
            )
        if settings.request_log:
            raise UserError(
                "tensorflow_model_server writes a log of its own: leave --log out and configure its "
                "logging_config, which `segpipe monitor` reads, or choose --engine embedded"
            )
        if settings.webhook:
            raise UserError(
                f"tensorflow_model_server decides no canary: leave --webhook and {WEBHOOK_VARIABLE} out and run "
                "`segpipe rollout decide` beside it, or choose --engine embedded"
            )
        from serving.versions import model_server

        # Its batches fail as a whole: one broken image would fail the requests of other clients.
        alone = settings.batching.model_copy(update={} if options["batch"] else {"pictures": 1})
        model_server.serve(settings.model_copy(update={"batching": alone}))
    else:
        if settings.request_log:
            LogFolder(settings.request_log.uri).check_writable()
        import_tensorflow()
        from serving.page import page_routes
        from serving.server import serve

        serve(settings, page_routes())


def _prefers_model_server(settings: ServerSettings) -> bool:
    """Whether `tensorflow_model_server` is installed and fits the settings; it always listens on all addresses."""
    is_there = shutil.which("tensorflow_model_server") is not None
    is_embedded_only = settings.allow_origins or settings.request_log or settings.webhook
    return is_there and settings.host == "0.0.0.0" and not is_embedded_only  # noqa: S104


def _check_log_options(options: Mapping[str, Any]) -> None:
    """Checks that no option of the request log, or of its images, is given without what it is for."""
    given = [name for name in _OPTIONS if name.startswith("log") and options.get(name) not in (None, False)]
    if given and "log" not in given:
        raise UserError(f"--{given[0].replace('_', '-')} needs --log: the folder of the request log")
    limits = [name for name in _LOG_IMAGE_LIMITS if name in given]
    if limits and "log_images" not in given:
        raise UserError(f"--{limits[0].replace('_', '-')} needs --log-images, without which no image is kept")


def _origins(given: Sequence[str]) -> tuple[str, ...]:
    from serving.protocol.origins import parse_origin

    try:
        return tuple(dict.fromkeys(parse_origin(origin) for origin in given))
    except ValueError as error:
        raise UserError(f"--allow-origin: {error}") from None


def _settings(registry: str, options: Mapping[str, Any]) -> ServerSettings:
    tree: dict[str, Any] = {"registry": registry, "limits": {}, "jobs": {}, "batching": {}}
    for option, value in options.items():
        if value is None or (option == "log_images" and not value):
            continue
        part, _, key = _OPTIONS[option].rpartition(".")
        (tree.setdefault(part, {}) if part else tree)[key] = value * MEGABYTE if option == "max_body" else value
    try:
        return ServerSettings(**tree)
    except ValidationError as error:
        first = mistakes_in(error, ServerSettings)[0]
        place = ".".join(map(str, first.loc))
        option = next(option for option, key in _OPTIONS.items() if key == place)
        raise UserError(f"--{option.replace('_', '-')}{first.text.removeprefix(place)}") from None
