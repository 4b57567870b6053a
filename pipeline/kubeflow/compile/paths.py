"""Paths of a configuration on a cluster.

Locally a relative path is relative to the current folder.  On a cluster a volume takes that folder's place, so that one
configuration serves both; a path that is not an address (gs://, s3://) must be on a volume that each step that needs
it mounts.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any, NamedTuple

from common.errors import UserError
from pipeline.config.run_config import RunConfig
from pipeline.dag.steps import DATA_PATHS, INITIAL_WEIGHTS_PATHS, REGISTRY_PATHS, STEPS
from pipeline.kubeflow.compile.beam import staging_of
from pipeline.kubeflow.config import StepOptions, Volume
from pipeline.kubeflow.names import SURVEY

_SURVEY_PATHS = (*DATA_PATHS, *REGISTRY_PATHS, *INITIAL_WEIGHTS_PATHS)


class PathField(NamedTuple):
    """Configuration key that may be a path; `names` are the values that are not paths."""

    title: str
    names: frozenset[str] = frozenset()

    @property
    def keys(self) -> tuple[str, ...]:
        """Keys of all levels."""
        return tuple(self.title.split("."))

    @property
    def tasks(self) -> frozenset[str]:
        """Tasks that open the path in their pod."""
        steps = {step.task for step in STEPS if self.title in step.paths}
        return frozenset(steps | ({SURVEY} if self.title in _SURVEY_PATHS else set()))


_NAMES = {
    "trainer.warm_start": frozenset({"none", "blessed"}),
    "trainer.model.encoder.weights": frozenset({"none", "imagenet"}),
}

PATH_FIELDS = tuple(
    PathField(title, _NAMES.get(title, frozenset()))
    for title in dict.fromkeys(path for step in STEPS for path in step.paths)
)
"""All configuration keys whose path a step opens in its pod."""

_STAGING = PathField("beam.staging")
"""Of the whole pipeline, or of a step: `kubeflow.steps.NAME.beam.staging`."""


def on_cluster(config: RunConfig) -> RunConfig:
    """Returns the configuration with all paths as they are in the pods.

    Raises:
        UserError: a path is relative, but kubeflow.volume is not set.
    """
    raw = config.model_dump(by_alias=True)
    raw["kubeflow"] = config.kubeflow.model_dump(
        exclude_unset=True
    )  # Options that are not set stay unset, see `options_of`.
    raw["registry"] = config.registry or f"{config.workspace or f'runs/{config.name}'}/registry"
    raw["workspace"] = None
    source = raw["data"]["source"]
    if source["type"] == "tfds" and source["data_dir"] is None:
        source["data_dir"] = "tensorflow_datasets"
    for field in PATH_FIELDS:
        parent, value = _find(raw, field)
        if value is not None:
            parent[field.keys[-1]] = _placed(value, field, config.kubeflow.volume)
    for beam in _beam_sections(raw):
        beam["staging"] = _placed(beam["staging"], _STAGING, config.kubeflow.volume)
    return RunConfig.model_validate(raw)


def mounts(config: RunConfig, task: str, options: StepOptions) -> tuple[Volume, ...]:
    """Returns the volumes of a task: its own, and kubeflow.volume if the task needs a path on it.

    Args:
        config: As `on_cluster` returns it.
        task: Name of the task.
        options: The task's options.

    Raises:
        UserError: the task needs a path that is on none of them, or a claim or a mount would appear twice.
    """
    own, common = options.volumes or (), config.kubeflow.volume
    needs_common = False
    for field, path in _local_paths(config, task):
        if any(_is_below(path, volume) for volume in own):
            continue
        if common is None or not _is_below(path, common):
            raise UserError(_unreachable(field, path, task, common))
        needs_common = True
    volumes = (*own, common) if needs_common and common is not None else tuple(own)
    _check_distinct(volumes, task)
    return volumes


def _local_paths(config: RunConfig, task: str) -> Iterator[tuple[PathField, str]]:
    raw = config.model_dump(by_alias=True)
    for field in PATH_FIELDS:
        _, value = _find(raw, field)
        if task in field.tasks and value is not None and "://" not in value and value not in field.names:
            yield field, value
    staging = staging_of(config, task)
    if staging is not None and "://" not in staging:
        yield _STAGING, staging


def _beam_sections(raw: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yields the sections `beam`, of the pipeline and of steps, that name a place for staging."""
    steps = raw["kubeflow"].get("steps", {}).values()
    for beam in (raw["beam"], *(step.get("beam") for step in steps)):
        if beam and beam.get("staging") is not None:
            yield beam


def _find(raw: dict[str, Any], field: PathField) -> tuple[dict[str, Any], str | None]:
    node: Any = raw
    for key in field.keys[:-1]:
        node = node.get(key) or {}
    value = node.get(field.keys[-1])
    return node, value


def _placed(value: str, field: PathField, volume: Volume | None) -> str:
    if value in field.names or "://" in value or value.startswith("/"):
        return value
    if volume is None:
        raise UserError(
            f"{field.title} is {value!r}, a relative path, which means nothing on a cluster without kubeflow.volume; "
            "give an address (gs://, s3://), an absolute path on a volume, or kubeflow.volume"
        )
    parts = PurePosixPath(value).parts
    if ".." in parts:
        raise UserError(f"{field.title} is {value!r}, which leaves the volume that stands for this folder on a cluster")
    return str(PurePosixPath(volume.mount, *parts))


def _is_below(path: str, volume: Volume) -> bool:
    return ".." not in PurePosixPath(path).parts and PurePosixPath(path).is_relative_to(volume.mount)


def _unreachable(field: PathField, path: str, task: str, volume: Volume | None) -> str:
    there = f" or a path below kubeflow.volume ({volume.mount})" if volume else ""
    return (
        f"{field.title} is {path}, which is on no volume of the step {task}; give an address (gs://, s3://){there}, "
        f"or name the volume that it is on in kubeflow.steps.{task}.volumes"
    )


def _check_distinct(volumes: tuple[Volume, ...], task: str) -> None:
    """Checks that claims are unique: they name a pod's volumes (makeVolumeMountPatch in v2/driver/k8s.go)."""
    for what, values in (
        ("the claim", [volume.claim for volume in volumes]),
        ("the mount", [volume.mount for volume in volumes]),
    ):
        for value in values:
            if values.count(value) > 1:
                raise UserError(
                    f"kubeflow.steps: {what} {value} appears twice in the step {task}, which no pod can have"
                )
