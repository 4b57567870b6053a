"""What a server is told when it starts."""

from __future__ import annotations

from pydantic import Field

from common.settings import Settings
from registry.serving_record import CANARY, STABLE

MEGABYTE = 1 << 20


class Limits(Settings):
    """What a request may ask for."""

    body_bytes: int = Field(default=32 * MEGABYTE, ge=1024, description="Size of a request.")
    pictures: int = Field(default=32, ge=1, description="Pictures in a request.")
    requests: int = Field(default=64, ge=1, description="Requests at a time, waiting or running.")
    seconds: float = Field(default=30, gt=0, description="Time for a request, if the client gives it no less.")


class Batching(Settings):
    """How requests are run together; a request is never split."""

    pictures: int = Field(default=8, ge=1, description="Pictures in a batch.")
    wait_seconds: float = Field(
        default=0, ge=0, le=1, description="How long a request waits for others although a worker is free."
    )
    workers: int = Field(default=2, ge=1, le=64, description="Batches at a time.")


class ServerSettings(Settings):
    """All of it."""

    registry: str
    version: int | None = Field(default=None, ge=1, description="The version to serve, whatever the registry serves.")
    host: str = "127.0.0.1"
    port: int = Field(default=8501, ge=0, le=65535, description="HTTP; 0 takes any that is free.")
    grpc_port: int = Field(default=8500, ge=0, le=65535, description="gRPC; 0 takes any that is free.")
    allow_origins: tuple[str, ...] = Field(
        default=(), description="Origins whose web pages may ask the REST API from a browser; `*` is any."
    )
    poll_seconds: float = Field(default=5, gt=0, description="How often the registry is looked at.")
    grace_seconds: float = Field(default=20, ge=0, description="Time for running requests when the server stops.")
    limits: Limits = Limits()
    batching: Batching = Batching()


class SyncSettings(Settings):
    """What the synchronisation of a registry with TensorFlow Serving is told."""

    registry: str
    folder: str = Field(description="Gets `<model>/<version>/` and `models.config`.")
    labels: tuple[str, ...] = Field(
        default=(STABLE, CANARY), min_length=1, description="Labels to hold; without a canary, `canary` means stable."
    )
    version: int | None = Field(default=None, ge=1, description="The version to hold, whatever the registry serves.")
    server: str = Field(default="http://127.0.0.1:8501", description="TensorFlow Serving's REST API.")
    poll_seconds: float = Field(default=10, gt=0, description="How often the registry is looked at.")
    load_seconds: float = Field(default=600, gt=0, description="Time for TensorFlow Serving to load a version.")
    settle_seconds: float = Field(
        default=15,
        ge=0,
        description="Time for it to read `models.config`, before it is asked of versions it had.",
    )
    grace_seconds: float = Field(default=60, ge=0, description="How long a version that is not wanted stays on disk.")
