"""Settings of a server."""

from __future__ import annotations

from pydantic import Field

from common.settings import Settings
from registry.serving_record import CANARY, STABLE

MEGABYTE = 1 << 20


class Limits(Settings):
    """Limits of requests."""

    body_bytes: int = Field(default=32 * MEGABYTE, ge=1024, description="Maximum size of a request.")
    pictures: int = Field(default=32, ge=1, description="Maximum number of images in a request.")
    requests: int = Field(default=64, ge=1, description="Maximum number of requests that wait or run.")
    seconds: float = Field(default=30, gt=0, description="Timeout of a request, unless the client's is shorter.")


class JobLimits(Settings):
    """Limits of batch jobs."""

    count: int = Field(default=8, ge=0, description="Maximum number of jobs that are held; 0 switches them off.")
    pictures: int = Field(default=1000, ge=1, description="Maximum number of images in a job.")
    result_bytes: int = Field(default=256 * MEGABYTE, ge=1024, description="Maximum size of all jobs' results.")
    seconds: float = Field(default=3600, gt=0, description="Time after which a job and its results are deleted.")


class Batching(Settings):
    """Settings of dynamic batching; a request is never split."""

    pictures: int = Field(default=8, ge=1, description="Maximum number of images in a batch.")
    wait_seconds: float = Field(
        default=0, ge=0, le=1, description="Time that a request waits for others even if a worker is free."
    )
    workers: int = Field(default=2, ge=1, le=64, description="Number of batches that run in parallel.")


class RequestLogSettings(Settings):
    """Settings of the request log; images are kept only if `images` is set too."""

    uri: str = Field(min_length=1, description="Folder of the log: a local path, or a URI that fsspec supports.")
    sample: float = Field(default=1.0, gt=0, le=1, description="Share of the images that is logged.")
    rows: int = Field(default=5000, ge=1, description="Number of rows after which a file is written.")
    seconds: float = Field(default=60, gt=0, description="Time after which a file is written, if it has a row.")
    queue: int = Field(default=1000, ge=1, description="Most images that wait to be logged; further ones are dropped.")
    queue_megabytes: int = Field(default=64, ge=1, description="Most encoded bytes that wait, in megabytes.")
    images: bool = Field(default=False, description="Whether the images themselves are kept.")
    image_days: int = Field(default=7, ge=1, description="Days that images are kept.")
    image_megabytes: int = Field(default=1000, ge=1, description="Most megabytes of kept images.")


class ServerSettings(Settings):
    """Settings of the embedded server and of `tensorflow_model_server`."""

    registry: str
    version: int | None = Field(
        default=None, ge=1, description="Version to serve instead of the one that the registry serves."
    )
    host: str = "127.0.0.1"
    port: int = Field(default=8501, ge=0, le=65535, description="HTTP port; 0 means any free port.")
    grpc_port: int = Field(default=8500, ge=0, le=65535, description="gRPC port; 0 means any free port.")
    allow_origins: tuple[str, ...] = Field(
        default=(), description="Origins whose web pages may call the REST API from a browser; `*` means any."
    )
    poll_seconds: float = Field(default=5, gt=0, description="Interval between two polls of the registry.")
    grace_seconds: float = Field(default=20, ge=0, description="Time for running requests to finish at shutdown.")
    limits: Limits = Limits()
    jobs: JobLimits = JobLimits()
    batching: Batching = Batching()
    request_log: RequestLogSettings | None = Field(default=None, description="The request log; null: none.")
    decide_canaries: bool = Field(
        default=True,
        description="Whether this server tries and decides canaries that have a policy; a pinned version never does.",
    )
    webhook: str | None = Field(default=None, description="Webhook that is told of decisions on canaries; a secret.")


class SyncSettings(Settings):
    """Settings of the synchronisation of a registry with TensorFlow Serving."""

    registry: str
    folder: str = Field(description="Folder for `<model>/<version>/` and `models.config`.")
    labels: tuple[str, ...] = Field(
        default=(STABLE, CANARY), min_length=1, description="Labels to keep; without a canary, `canary` means stable."
    )
    version: int | None = Field(
        default=None, ge=1, description="Version to keep instead of the ones that the registry serves."
    )
    server: str = Field(default="http://127.0.0.1:8501", description="TensorFlow Serving's REST API.")
    poll_seconds: float = Field(default=10, gt=0, description="Interval between two polls of the registry.")
    load_seconds: float = Field(default=600, gt=0, description="Time for TensorFlow Serving to load a version.")
    settle_seconds: float = Field(
        default=15,
        ge=0,
        description="Time for it to read `models.config`, before it is asked of versions it had.",
    )
    grace_seconds: float = Field(default=60, ge=0, description="Time until an unused version is deleted.")
