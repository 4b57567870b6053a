"""One YAML file is one use case: read, checked and typed here.

Relative paths in it are relative to the folder that the command runs in, as everywhere on a command line.
"""

from __future__ import annotations

import copy
import difflib
import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, Field, ValidationError, model_validator

from components.data_gate.config import ValidationConfig, check_absent
from components.errors import UserError
from components.evaluator.config import EvaluatorConfig
from components.evaluator.thresholds import check_thresholds
from components.example_gen.config import DataConfig, ManifestSource
from components.report.config import ReportConfig
from components.serving_check.config import ServingCheckConfig
from components.settings import Settings, matching
from components.trainer.config import TrainerConfig
from components.trainer.inference.config import check_band
from components.trainer.losses.config import check_class_weights
from components.transform.config import TransformConfig
from components.tuner.config import TunerConfig, check_search
from pipeline.kubeflow.config import KubeflowConfig


class RunConfig(Settings):
    """A use case from data to served model."""

    name: Annotated[
        str,
        matching(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", "name: small letters, digits and hyphens, at most 63"),
    ] = Field(
        description="Name of the pipeline and of the served model: small letters, digits and hyphens.",
    )
    seed: int = Field(default=1, ge=0, description="Seed of everything random: splits, initial weights, augmentation.")
    workspace: str | None = Field(
        default=None, description="Folder for artifacts, metadata and logs of local runs; `runs/<name>` without it."
    )
    registry: str | None = Field(
        default=None, description="The model registry (local, gs:// or s3://); `<workspace>/registry` without it."
    )
    when_unchanged: Literal["run", "skip"] = Field(
        default="run",
        description="Whether a run goes on (most of its steps are cached), or ends at once, where the served version "
        "was made from the same data and configuration.",
    )
    data: DataConfig = Field(description="The pairs of images and masks.")
    validation: ValidationConfig = Field(default=ValidationConfig(), description="The gate in front of training.")
    transform: TransformConfig = Field(default=TransformConfig(), description="From pictures to the model's input.")
    trainer: TrainerConfig = Field(default=TrainerConfig(), description="Model and training.")
    tuner: TunerConfig | None = Field(
        default=None, description="Whether, before training, some of the trainer's settings are searched for; none: no."
    )
    evaluator: EvaluatorConfig = Field(default=EvaluatorConfig(), description="Metrics, slices and blessing.")
    serving_check: ServingCheckConfig | None = Field(
        default=ServingCheckConfig(),
        description="The exported model's trial behind a server, before it may be pushed; null: none.",
    )
    report: ReportConfig = Field(default=ReportConfig(), description="The HTML report.")
    kubeflow: KubeflowConfig = Field(default=KubeflowConfig(), description="The pipeline on a cluster.")

    @model_validator(mode="after")
    def _fits_together(self) -> RunConfig:
        self._check_size()
        self._check_scaling()
        check_absent(self.validation, self.data.classes)
        check_band(self.trainer.inference, self.transform, len(self.data.classes), self.trainer.max_pixels)
        check_class_weights(self.trainer.class_weights, self.trainer.loss, self.data.classes)
        check_thresholds(self.evaluator, self.data.classes, self._slice_names())
        if self.tuner:
            check_search(self.tuner, self.trainer)
        return self

    def _check_size(self) -> None:
        height, width, halvings = self.transform.height, self.transform.width, self.trainer.model.halvings
        if height % 2**halvings or width % 2**halvings:
            raise ValueError(
                f"transform.height and width ({height}×{width}) must be divisible by {2**halvings}, "
                f"as trainer.model, a {self.trainer.model.type}, halves them {halvings} times"
            )
        if self.trainer.augmentation.quarter_turns and height != width:
            raise ValueError(
                f"trainer.augmentation.quarter_turns needs transform.height = width, which are {height}×{width}"
            )

    def _check_scaling(self) -> None:
        encoder, normalize = self.trainer.model.encoder, self.transform.normalize
        if encoder and normalize != "none":
            raise ValueError(
                f"transform.normalize must be none, not {normalize}, with trainer.model.encoder: "
                f"{encoder.name} scales pictures itself, in the way it was trained with"
            )

    def _slice_names(self) -> set[str] | None:
        """The slices that there will be; `None` where only the data itself can tell."""
        source = self.data.source
        if isinstance(source, ManifestSource):
            return None if source.slice_columns is None else {*source.slice_columns, *self.data.buckets}
        return set(self.data.buckets)

    @property
    def workspace_dir(self) -> Path:
        """Where a local run keeps everything."""
        return Path(self.workspace or f"runs/{self.name}").absolute()

    @property
    def registry_uri(self) -> str:
        """The registry, a local path made absolute."""
        registry = self.registry or str(self.workspace_dir / "registry")
        return registry if "://" in registry else str(Path(registry).absolute())

    @property
    def schema_file(self) -> Path:
        """The curated schema: the one that is named, or `schemas/<name>.pbtxt`."""
        return Path(self.validation.data_schema or f"schemas/{self.name}.pbtxt").absolute()


def load_config(path: str | Path, overrides: Sequence[str] = ()) -> RunConfig:
    """Reads a YAML file and applies `key.path=value` overrides, whose values are YAML too.

    Raises:
        UserError: the file cannot be read, is no YAML mapping, or does not fit; the text names the key and what fits.
    """
    return make_config(_read_yaml(Path(path)), overrides, str(path))


def make_config(raw: dict[str, Any], overrides: Sequence[str], source: str) -> RunConfig:
    """The configuration that `raw` is once `key.path=value` overrides are applied to it.

    Raises:
        UserError: it does not fit; the text begins with `source` and names the key and what fits.
    """
    raw = copy.deepcopy(raw)
    for override in overrides:
        _apply_override(raw, override)
    try:
        return RunConfig.model_validate(raw)
    except ValidationError as error:
        raise UserError(f"{source}: {_explain(error)}") from None
    except UserError as error:
        raise UserError(f"{source}: {error}") from None


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        raw = yaml.safe_load(path.read_text())
    except OSError as error:
        nearby = sorted(str(file) for file in Path("pipeline/configs").glob("*.yaml"))
        hint = f"; there is {', '.join(nearby)}" if nearby else ""
        raise UserError(f"cannot read the configuration {path}: {error.strerror}{hint}") from None
    except UnicodeDecodeError:
        raise UserError(f"{path} is no text file; give a YAML configuration") from None
    except yaml.YAMLError as error:
        raise UserError(f"{path} is no valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(raw, dict):
        raise UserError(f"{path} must be a mapping of keys to values, but is {type(raw).__name__}")
    return raw


def _apply_override(raw: dict[str, Any], override: str) -> None:
    key, equals, value = override.partition("=")
    if not equals or not key:
        raise UserError(f"--set {override!r}: write it as key.path=value, such as --set trainer.epochs=5")
    *parents, last = key.split(".")
    node = raw
    for parent in parents:
        node = node.setdefault(parent, {})
        if not isinstance(node, dict):
            raise UserError(f"--set {override!r}: {parent!r} holds a value, not further keys")
    try:
        node[last] = yaml.safe_load(value)
    except yaml.YAMLError:
        raise UserError(f"--set {override!r}: {value!r} is no valid YAML value") from None


def _explain(error: ValidationError) -> str:
    """All that is wrong, each with its key's path."""
    return "; ".join(_explain_one(item["loc"], item["type"], item["msg"]) for item in error.errors())


def _explain_one(loc: tuple[int | str, ...], kind: str, message: str) -> str:
    # Pydantic puts a union's tag into the path; a person never wrote it there.
    path = ".".join(str(part) for part in loc if part not in _tags(RunConfig))
    if kind == "extra_forbidden":
        close = difflib.get_close_matches(str(loc[-1]), _known_keys(loc[:-1]), n=1, cutoff=0.6)
        return f"{path} is no known key" + (f"; did you mean {close[0]!r}?" if close else "")
    if kind == "missing":
        return f"{path} is missing"
    if kind == "string_type":
        return f"{path}: must be a text; put it in quotes, for YAML reads null, yes, no and numbers as something else"
    text = message.removeprefix("Value error, ")
    return f"{path}: {text}" if path else text


def _known_keys(loc: tuple[int | str, ...]) -> list[str]:
    """The keys of the objects that `loc` may lead to."""
    models: list[type[BaseModel]] = [RunConfig]
    for part in loc:
        children = [child for model in models for child in _child_models(model).get(str(part), [])]
        tagged = [model for model in models if _tag(model) == part]
        models = children or tagged or models  # An index into a list leads to what the list holds.
    return [field.alias or name for model in models for name, field in model.model_fields.items()]


@functools.cache
def _tags(model: type[BaseModel]) -> frozenset[str]:
    """All that tells the members of unions below `model` apart."""
    below = [child for children in _child_models(model).values() for child in children]
    return frozenset(tag for child in below for tag in (_tag(child), *_tags(child)) if tag)


def _tag(model: type[BaseModel]) -> str | None:
    return model.model_fields["type"].default if "type" in model.model_fields else None


def _child_models(model: type[BaseModel]) -> dict[str, list[type[BaseModel]]]:
    return {field.alias or name: _models_in(field.annotation) for name, field in model.model_fields.items()}


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for argument in getattr(annotation, "__args__", ()) for model in _models_in(argument)]
