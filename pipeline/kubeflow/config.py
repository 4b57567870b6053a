"""Configuration of a pipeline on Kubeflow."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from common.settings import Settings, matching
from pipeline.beam.config import Beam

_NAME = "a name of Kubernetes: small letters, digits and hyphens"
_COMPONENT = r"[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*"
_IMAGE = (  # github.com/distribution/reference, regexp.go
    rf"(?:[A-Za-z0-9.-]+(?::[0-9]+)?/)?{_COMPONENT}(?:/{_COMPONENT})*"
    r"(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?:@sha256:[0-9a-f]{64})?"
)
KubernetesName = Annotated[str, matching(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?", _NAME)]
VolumeName = Annotated[str, matching(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", _NAME)]
EnvironmentVariable = Annotated[
    str, matching(r"[A-Za-z_][A-Za-z0-9_]*", "a name of an environment variable: letters, digits and _")
]


def _number_as_text(value: object) -> object:
    """Converts a number to text, so that `cpu: 1` and `--set …cpu=0.5` need no quotes."""
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return f"{value:g}" if is_number else value


Cores = Annotated[
    str, matching(r"[0-9]+(\.[0-9]+)?|[0-9]+m", "a number of cores: 2, 0.5 or 500m"), BeforeValidator(_number_as_text)
]
Bytes = Annotated[str, matching(r"[0-9]+(\.[0-9]+)?(k|M|G|T|Ki|Mi|Gi|Ti)", "an amount of memory: 512Mi or 8Gi")]
MountPath = Annotated[str, matching(r"/[^:]*[^:/]", "a place for a volume: an absolute path without a / at its end")]
Image = Annotated[str, matching(_IMAGE, "an image: registry.example.com/segpipe:1, without a scheme, in small letters")]
Bucket = Annotated[str, matching(r"(minio|s3|gs)://.+", "an address of a bucket: minio://, s3:// or gs://")]
Page = Annotated[str, matching(r"https?://.+", "an address of a page: https://kubeflow.example.org/pipeline")]


_UNITS = {"m": 1e-3, "": 1.0, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12} | {
    f"{prefix}i": 1024.0**power for power, prefix in enumerate("KMGT", 1)
}


def quantity(text: str) -> float:
    """Parses a Kubernetes quantity into cores or bytes: `500m`, `2`, `16Gi`."""
    number = text.rstrip("mkKMGTi")
    return float(number) * _UNITS[text[len(number) :]]


DEFAULT = "default"
"""The entry of `steps` that applies to all steps."""


class SecretKey(Settings):
    """Value in a Secret."""

    secret: KubernetesName = Field(description="Name of the Secret, in the namespace of the runs.")
    key: str = Field(min_length=1, description="Key in the Secret.")


class Toleration(Settings):
    """Toleration of the step's pods, as in Kubernetes."""

    key: str | None = Field(default=None, description="Key of the taint; null: every taint.")
    operator: Literal["Exists", "Equal"] = Field(
        default="Exists", description="Whether the taint's value must be equal, or the key need only exist."
    )
    value: str | None = Field(default=None, description="Value of the taint, with `Equal`.")
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = Field(
        default=None, description="Effect of the taint; null: every effect."
    )

    @model_validator(mode="after")
    def _value_goes_with_equal(self) -> Toleration:
        if (self.operator == "Equal") != (self.value is not None):
            raise ValueError(
                f"operator Equal needs a value, and a value needs operator Equal, but operator is {self.operator} and "
                f"value is {'null' if self.value is None else repr(self.value)}"
            )
        if self.operator == "Equal" and self.key is None:
            raise ValueError("operator Equal needs a key")
        return self


class Volume(Settings):
    """A PersistentVolumeClaim that a step mounts."""

    claim: VolumeName = Field(description="Name of the claim, in the namespace of the runs.")
    mount: MountPath = Field(description="Mount path.")


class Accelerator(Settings):
    """Accelerator devices of a step."""

    resource: str = Field(default="nvidia.com/gpu", description="Resource name of the device plugin.")
    count: int = Field(
        default=1, ge=1, le=16, description="Devices in the pod; the Trainer uses all of them (MirroredStrategy)."
    )


class StepOptions(Settings):
    """Cluster options of a step; options that are not set are taken from the entry `default`."""

    cpu: Cores | None = Field(
        default=None,
        description="Requested cores, such as `4` or `500m`: a pod starts on a node with so many free cores, "
        "and may use more.",
    )
    memory: Bytes | None = Field(
        default=None, description="Requested memory, such as `16Gi`; a pod may use more if the node has it."
    )
    cpu_limit: Cores | None = Field(default=None, description="Limit of cores; null: no limit.")
    memory_limit: Bytes | None = Field(
        default=None, description="Limit of memory, above which the pod is killed (OOMKilled); null: no limit."
    )
    accelerator: Accelerator | None = Field(default=None, description="Accelerator devices; null: none.")
    node_selector: dict[str, str] | None = Field(default=None, description="Labels that the node must have.")
    tolerations: tuple[Toleration, ...] | None = Field(
        default=None, description="Tolerations of the pods; null: with an accelerator, NoSchedule of its resource."
    )
    shared_memory: Bytes | None = Field(
        default=None, description="Size of /dev/shm; null: the node's default of 64 MB."
    )
    env: dict[EnvironmentVariable, str] | None = Field(default=None, description="Environment variables.")
    secrets: dict[EnvironmentVariable, SecretKey] | None = Field(
        default=None, description="Environment variable → Secret and key of its value."
    )
    volumes: tuple[Volume, ...] | None = Field(default=None, description="Claims to mount.")
    timeout_minutes: int | None = Field(default=None, ge=1, description="Timeout, after which the step fails.")
    retries: int | None = Field(default=None, ge=0, le=10, description="Retries after a failed attempt.")
    beam: Beam | None = Field(
        default=None, description="Where the step runs, if it is one of those that `beam` is about; default: as there."
    )
    cache: bool | None = Field(default=None, description="Whether the result of an equal earlier step is reused.")

    def over(self, default: StepOptions) -> StepOptions:
        """Returns these options, with those of `default` for keys that are not set."""
        return default.model_copy(update={key: getattr(self, key) for key in self.model_fields_set})


class Schedule(Settings):
    """Schedule of the pipeline."""

    cron: str = Field(
        description="Six fields: second, minute, hour, day of the month, month, day of the week, such as "
        "`0 0 3 * * *`; in the time zone of the cluster's API server."
    )

    @field_validator("cron")
    @classmethod
    def _six_fields(cls, value: str) -> str:
        fields = value.split()
        if len(fields) != 6 and not value.startswith("@"):
            raise ValueError(
                f"{value!r} has {len(fields)} fields; Kubeflow's cron has six, the first for seconds: '0 0 3 * * *'"
            )
        return value


class Workers(Settings):
    """Several Trainer pods (`trainer.workers`): their shared storage, either volume or bucket, and their resources."""

    volume: Volume | None = Field(default=None, description="Claim that several nodes may mount (ReadWriteMany).")
    bucket: Annotated[str, matching(r"gs://.+", "an address of a bucket: gs://")] | None = Field(
        default=None, description="Folder in a gs:// bucket."
    )
    service_account: KubernetesName = Field(default="segpipe-worker", description="Service account of the pods.")
    accelerator: Accelerator | None = Field(
        default=None,
        description="Devices of each pod; default: those of the step `trainer`, which only waits for the pods and then "
        "holds its own unused.",
    )

    @model_validator(mode="after")
    def _one_of_them(self) -> Workers:
        if (self.volume is None) == (self.bucket is None):
            raise ValueError(f"give either volume or bucket, not {'both' if self.volume else 'neither'}")
        return self


def _check_limits(step: str, options: StepOptions) -> None:
    pairs = (("cpu", options.cpu, options.cpu_limit), ("memory", options.memory, options.memory_limit))
    for what, request, limit in pairs:
        if request is not None and limit is not None and quantity(limit) < quantity(request):
            raise ValueError(f"steps.{step}: {what}_limit ({limit}) must be at least {what} ({request})")


class KubeflowConfig(Settings):
    """Cluster settings of a pipeline."""

    image: Image = Field(default="segpipe:latest", description="Container image of all steps, by version or digest.")
    pull_secrets: tuple[KubernetesName, ...] = Field(default=(), description="Secrets for pulling the image.")
    namespace: KubernetesName = Field(default="kubeflow", description="Namespace of the runs.")
    service_account: KubernetesName = Field(
        default="segpipe-pipeline", description="Service account of the runs' pods."
    )
    experiment: str | None = Field(default=None, description="Experiment of the runs; default: the pipeline's name.")
    pipeline_root: Bucket = Field(
        default="minio://mlpipeline/v2/artifacts",
        description="Bucket and folder of the runs' artifacts (minio://, s3:// or gs://).",
    )
    volume: Volume | None = Field(
        default=Volume(claim="segpipe", mount="/mnt/segpipe"),
        description="Claim in place of the current folder of the command: relative paths of the configuration are "
        "relative to it on the cluster. The steps that use one of them mount it; null: all paths are "
        "addresses or on volumes of the steps.",
    )
    resume_dir: str | None = Field(
        default=None,
        description="Checkpoint directory, on a mounted volume or gs://, from which an interrupted Trainer resumes if "
        "the step is retried; null: it starts from the beginning.",
    )
    ui: Page | None = Field(
        default=None,
        description="Address of the dashboard for people, such as `https://kubeflow.example.org/pipeline`: the "
        "notification links to the run's page.",
    )
    steps: dict[str, StepOptions] = Field(
        default={"default": StepOptions(cpu="250m", memory="1Gi", retries=1)},
        description="Step → its cluster options; `default` for all steps. Steps have their task names.",
    )
    workers: Workers | None = Field(default=None, description="Shared storage and resources of several Trainer pods.")
    schedule: Schedule | None = Field(
        default=None, description="Schedule of the pipeline; null: runs are only submitted."
    )
    webhook: SecretKey | None = Field(
        default=None,
        description="Webhook address, in a Secret, that is notified of each run's end (Slack-compatible JSON).",
    )

    def options_of(self, step: str) -> StepOptions:
        """Returns the cluster options of a step: its own entry over `default`."""
        return self.steps.get(step, StepOptions()).over(self.steps.get(DEFAULT, StepOptions()))

    @model_validator(mode="after")
    def _limits_are_not_below_requests(self) -> KubeflowConfig:
        for step in self.steps:
            _check_limits(step, self.options_of(step))
        return self
