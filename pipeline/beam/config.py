"""Configuration of where Beam's steps run."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, TypeAdapter, field_validator, model_validator

from common.settings import Settings, default_type, matching

Address = Annotated[
    str, matching(r"[A-Za-z0-9._-]+:[0-9]{1,5}|\[[0-9a-fA-F:]+\]:[0-9]{1,5}", "an address: host:port, without a scheme")
]
OptionName = Annotated[
    str, matching(r"[A-Za-z][A-Za-z0-9_]*", "a name of an option: letters, digits and _, without --")
]
CloudFolder = Annotated[str, matching(r"gs://.+", "an address of a bucket: gs://")]


def _writable_by_steps(staging: str) -> str:
    """Refuses addresses that TensorFlow, with which the steps write, does not know."""
    scheme, separator, _ = staging.partition("://")
    if separator and scheme != "gs":
        raise ValueError(
            f"must be a folder on a shared volume or an address in gs://, not {staging!r}: TensorFlow writes no "
            f"{scheme}://; mount that bucket as a volume, or take another one"
        )
    return staging


Staging = Annotated[str, Field(min_length=1), AfterValidator(_writable_by_steps)]


def _as_text(value: object) -> object:
    """Converts numbers and truth values, which are not quoted in YAML, to what a command line has."""
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value}" if isinstance(value, (int, float)) else value


OptionValue = Annotated[str, BeforeValidator(_as_text)]
_MOST_WORKERS = 1024
_OWN = {
    "runner": "runner",
    "direct_num_workers": "workers",
    "direct_running_mode": "workers",
    "job_endpoint": "job_server",
    "flink_master": "master",
    "spark_master_url": "master",
    "parallelism": "parallelism",
    "environment_type": "environment",
    "environment_config": "environment",
    "environment_options": "environment",
    "project": "project",
    "region": "region",
    "temp_location": "temp_location",
    "sdk_container_image": "image",
}
"""Option of Beam → the key of the configuration that sets it."""


class _Runner(Settings):
    options: dict[OptionName, OptionValue] = Field(
        default={},
        description="Further options of Beam or its runner, by name without `--`, passed on as they are; `true` is a "
        "flag. Options that neither knows are refused.",
    )

    @field_validator("options")
    @classmethod
    def _without_own(cls, options: dict[str, str]) -> dict[str, str]:
        for name in options:
            key = _OWN.get(name)
            if key in cls.model_fields:
                raise ValueError(f"{name} is set by the key {key} beside options")
        return options

    def option_arguments(self) -> list[str]:
        """Returns `options` as arguments of a command line; a flag that is off has none."""
        return [f"--{name}" if value == "true" else f"--{name}={value}" for name, value in self._given()]

    def _given(self) -> list[tuple[str, str]]:
        return [(name, value) for name, value in sorted(self.options.items()) if value != "false"]


class LocalBeam(_Runner):
    """Beam in this process, or in processes of this machine."""

    runner: Literal["local"] = Field(default="local", description="Beam's own runner for one machine.")
    workers: int | Literal["all"] = Field(
        default=1,
        description="Processes that compute: 1 is the process of the run itself; `all` is one for each core, as far as "
        "the free memory suffices.",
    )

    @field_validator("workers")
    @classmethod
    def _some_workers(cls, workers: int | str) -> int | str:
        if isinstance(workers, int) and not 1 <= workers <= _MOST_WORKERS:
            raise ValueError(f"must be from 1 to {_MOST_WORKERS}, or all, not {workers}")
        return workers


class _Portable(_Runner):
    job_server: Address = Field(
        default="localhost:8099", description="Beam's job server, as `segpipe beam-server` starts it: host:port."
    )
    parallelism: int = Field(default=2, ge=1, le=10_000, description="Workers that compute at a time.")
    environment: Literal["loopback", "process", "external", "docker"] = Field(
        default="loopback",
        description="Where Python workers run: `loopback` in processes that the run itself starts (an engine on this "
        "machine), `process` in processes that each of the engine's machines starts by `command`, "
        "`external` in the pool at `worker_pool`, `docker` in containers of `image`.",
    )
    worker_pool: Address | None = Field(
        default=None,
        description="Pool of workers (`segpipe-step beam-workers`) that each of the engine's machines reaches at this "
        "address, with `environment: external`; default: `localhost:50000`.",
    )
    image: str | None = Field(default=None, min_length=1, description="Container image, with `environment: docker`.")
    command: str = Field(
        default="segpipe-step",
        min_length=1,
        description="Program that starts a worker, on each of the engine's machines, with `environment: process`.",
    )
    staging: Staging | None = Field(
        default=None,
        description="On Kubeflow: where a step's artifacts lie while the engine works on them. A folder on a claim "
        "that step and workers mount at the same path (a relative path is on `kubeflow.volume`), or gs://.",
        examples=["staging"],
    )

    @model_validator(mode="after")
    def _environment_has_its_keys(self) -> _Portable:
        for key, environment in (("worker_pool", "external"), ("image", "docker")):
            if getattr(self, key) is not None and self.environment != environment:
                raise ValueError(f"{key} is for environment {environment}, not {self.environment}; leave {key} out")
        if self.environment == "docker" and self.image is None:
            raise ValueError("environment docker needs image, an image of segpipe that the engine's machines can pull")
        if self.environment == "docker" and self.staging is not None and "://" not in self.staging:
            raise ValueError(
                f"staging must be in gs:// with environment docker, not {self.staging!r}: containers that the engine "
                "starts see no folder of its machine"
            )
        return self


class FlinkBeam(_Portable):
    """Beam on Apache Flink, by a job server."""

    runner: Literal["flink"] = Field(default="flink", description="Apache Flink.")
    master: Address | None = Field(
        default=None,
        description="Flink's JobManager, host:port of its REST API; default: that of the job server. On Kubeflow, jobs "
        "of a step that ends early are cancelled there.",
    )


class SparkBeam(_Portable):
    """Beam on Apache Spark, by a job server, which knows the address of Spark's master."""

    runner: Literal["spark"] = Field(default="spark", description="Apache Spark.")


class DataflowBeam(_Runner):
    """Beam on Google Dataflow, for runs on Kubeflow whose artifacts are in gs://."""

    runner: Literal["dataflow"] = Field(default="dataflow", description="Google Dataflow.")
    project: str = Field(min_length=1, description="Project of Google Cloud.", examples=["vision"])
    region: str = Field(min_length=1, description="Region of the workers.", examples=["europe-west1"])
    temp_location: CloudFolder = Field(
        description="Folder for temporary files (gs://).", examples=["gs://bucket/temporary"]
    )
    image: str = Field(
        min_length=1, description="Container image of the workers, made from that of the steps.", examples=["segpipe:1"]
    )
    staging: CloudFolder | None = Field(
        default=None,
        description="On Kubeflow: where a step's artifacts lie while Dataflow works on them (gs://).",
        examples=["gs://bucket/staging"],
    )


AnyBeam = LocalBeam | FlinkBeam | SparkBeam | DataflowBeam
Beam = Annotated[
    AnyBeam,
    Field(discriminator="runner"),
    default_type("local", LocalBeam, FlinkBeam, SparkBeam, DataflowBeam, tag="runner"),
]
"""A section without `runner` is of runner `local`."""


def read_beam(text: str) -> AnyBeam:
    """Reads a section that was written as JSON."""
    beam: AnyBeam = TypeAdapter(Beam).validate_json(text)
    return beam
