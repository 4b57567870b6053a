"""Where and how a pipeline runs on Kubeflow."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from common.settings import Settings, matching

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
    """A number as Kubernetes would read it, so that `cpu: 1` and `--set …cpu=0.5` need no quotes."""
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
    """Cores or bytes of a quantity as Kubernetes writes it, such as `500m`, `2` or `16Gi`."""
    number = text.rstrip("mkKMGTi")
    return float(number) * _UNITS[text[len(number) :]]


DEFAULT = "default"
"""The entry of `steps` that holds for all steps."""


class SecretKey(Settings):
    """One value of a Secret."""

    secret: KubernetesName = Field(description="Name of the Secret, which is in the namespace of the runs.")
    key: str = Field(min_length=1, description="Key in it.")


class Toleration(Settings):
    """A taint that pods of the step bear, as Kubernetes writes it."""

    key: str | None = Field(default=None, description="Key of the taint; none: every taint.")
    operator: Literal["Exists", "Equal"] = Field(default="Exists", description="Whether its value matters.")
    value: str | None = Field(default=None, description="Value of the taint, with `Equal`.")
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = Field(
        default=None, description="Effect of the taint; none: every effect."
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

    claim: VolumeName = Field(description="Name of the claim, which is in the namespace of the runs.")
    mount: MountPath = Field(description="Where it is mounted.")


class Accelerator(Settings):
    """Devices of a step."""

    resource: str = Field(default="nvidia.com/gpu", description="Name under which the device plugin offers them.")
    count: int = Field(default=1, ge=1, le=16, description="Devices in the pod; the Trainer mirrors over all of them.")


class StepOptions(Settings):
    """What a step asks of the cluster; what is not said here is taken from the entry `default`."""

    cpu: Cores | None = Field(
        default=None,
        description="Cores that are requested, such as `4` or `500m`: a pod starts on a node that has so many left, "
        "and may use more.",
    )
    memory: Bytes | None = Field(
        default=None, description="Memory that is requested, such as `16Gi`; a pod may use more where the node has it."
    )
    cpu_limit: Cores | None = Field(default=None, description="Cores at most; none: no limit.")
    memory_limit: Bytes | None = Field(
        default=None, description="Memory at most, over which the pod is killed (OOMKilled); none: no limit."
    )
    accelerator: Accelerator | None = Field(default=None, description="Devices; none: no accelerator.")
    node_selector: dict[str, str] | None = Field(default=None, description="Labels that the node must have.")
    tolerations: tuple[Toleration, ...] | None = Field(
        default=None, description="Taints that the pods bear; none: with an accelerator, NoSchedule of its resource."
    )
    shared_memory: Bytes | None = Field(default=None, description="Size of /dev/shm; none: the node's 64 MB.")
    env: dict[EnvironmentVariable, str] | None = Field(default=None, description="Environment variables.")
    secrets: dict[EnvironmentVariable, SecretKey] | None = Field(
        default=None, description="Environment variable → the key of a Secret that it is taken from."
    )
    volumes: tuple[Volume, ...] | None = Field(default=None, description="Claims that are mounted.")
    timeout_minutes: int | None = Field(default=None, ge=1, description="The step fails after this time.")
    retries: int | None = Field(default=None, ge=0, le=10, description="Attempts after the first one that failed.")
    cache: bool | None = Field(default=None, description="Whether the result of an equal step is taken instead.")

    def over(self, default: StepOptions) -> StepOptions:
        """These options, key by key, and `default` where they do not say."""
        return default.model_copy(update={key: getattr(self, key) for key in self.model_fields_set})


class Schedule(Settings):
    """When the pipeline runs of itself."""

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
    """Several Trainer pods (`trainer.workers`): where they meet, either volume or bucket, and what each gets."""

    volume: Volume | None = Field(default=None, description="A claim that many nodes may mount (ReadWriteMany).")
    bucket: Annotated[str, matching(r"gs://.+", "an address of a bucket: gs://")] | None = Field(
        default=None, description="A gs:// folder."
    )
    service_account: KubernetesName = Field(default="segpipe-worker", description="Service account of the pods.")
    accelerator: Accelerator | None = Field(
        default=None,
        description="Devices of each pod; without it, those of the step `trainer`, which only waits for the pods and "
        "then holds its own for nothing.",
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
    """The cluster's side of a pipeline."""

    image: Image = Field(default="segpipe:latest", description="Image of all steps; name one by version or digest.")
    pull_secrets: tuple[KubernetesName, ...] = Field(default=(), description="Secrets to pull the image with.")
    namespace: KubernetesName = Field(default="kubeflow", description="Namespace of the runs.")
    service_account: KubernetesName = Field(
        default="segpipe-pipeline", description="Service account of the runs' pods."
    )
    experiment: str | None = Field(default=None, description="Experiment of the runs; the pipeline's name without it.")
    pipeline_root: Bucket = Field(
        default="minio://mlpipeline/v2/artifacts",
        description="Bucket and folder of the runs' artifacts (minio://, s3:// or gs://).",
    )
    volume: Volume | None = Field(
        default=Volume(claim="segpipe", mount="/mnt/segpipe"),
        description="The claim that stands for the folder that the command runs in: relative paths of the "
        "configuration are relative to it on the cluster. The steps that use one of them mount it; none: all paths are "
        "addresses or on volumes of the steps.",
    )
    resume_dir: str | None = Field(
        default=None,
        description="Folder of a mounted volume, or of gs://, where a Trainer that was killed finds itself again when "
        "the step is tried again; without it, it begins anew.",
    )
    ui: Page | None = Field(
        default=None,
        description="The dashboard's address as people reach it, such as `https://kubeflow.example.org/pipeline`: the "
        "webhook is told the run's page.",
    )
    steps: dict[str, StepOptions] = Field(
        default={"default": StepOptions(cpu="250m", memory="1Gi", retries=1)},
        description="Step → what it asks of the cluster; `default` for all. Steps are called as on the dashboard.",
    )
    workers: Workers | None = Field(default=None, description="Where several Trainer pods meet.")
    schedule: Schedule | None = Field(default=None, description="When the pipeline runs of itself; none: when asked.")
    webhook: SecretKey | None = Field(
        default=None, description="Address, in a Secret, that is told how each run ended (Slack-compatible JSON)."
    )

    def options_of(self, step: str) -> StepOptions:
        """What a step asks of the cluster: its own entry first, then `default`."""
        return self.steps.get(step, StepOptions()).over(self.steps.get(DEFAULT, StepOptions()))

    @model_validator(mode="after")
    def _limits_are_not_below_requests(self) -> KubeflowConfig:
        for step in self.steps:
            _check_limits(step, self.options_of(step))
        return self
