"""Configuration of one use case: a YAML file, validated and typed.

Relative paths in it are relative to the current folder of the command.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import Field, ValidationError, model_validator

from common.errors import UserError
from common.settings import Settings, matching
from common.settings_errors import Mistake, mistakes_in, shortened
from common.settings_places import parse_place
from components.batch_predictor.config import BatchPredictionConfig
from components.data_gate.config import ValidationConfig, check_absent
from components.evaluator.config import EvaluatorConfig
from components.evaluator.thresholds import check_thresholds
from components.example_gen.config import DataConfig, ManifestSource
from components.exporter.config import ExportConfig
from components.pusher.card.config import ModelCardConfig
from components.pusher.config import PusherConfig
from components.report.config import ReportConfig
from components.report.sinks.config import SinksConfig
from components.serving_check.config import ServingCheckConfig
from components.trainer.batch_statistics import check_batch_statistics
from components.trainer.config import BLESSED, TrainerConfig
from components.trainer.inference.config import check_band
from components.trainer.losses.config import check_class_weights
from components.trainer.windows.config import WindowsConfig
from components.transform.config import TransformConfig
from components.transform.values_config import FullRange
from components.tuner.config import TunerConfig, check_search
from pipeline.beam.config import Beam, LocalBeam
from pipeline.config.file import Document, Mistakes, read_document
from pipeline.config.overrides import apply_override
from pipeline.config.patch import apply_patch, is_patch
from pipeline.config.sections import settle_empty_sections
from pipeline.kubeflow.config import KubeflowConfig

_Settings = TypeVar("_Settings", bound=Settings)


class RunConfig(Settings):
    """Configuration of a use case, from data to served model."""

    name: Annotated[
        str,
        matching(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", "a name: small letters, digits and hyphens, at most 63"),
    ] = Field(
        description="Name of the pipeline and of the served model: lower-case letters, digits and hyphens.",
        examples=["sample"],
    )
    seed: int = Field(
        default=1, ge=0, le=2**32 - 1, description="Seed of all random numbers: splits, initial weights, augmentation."
    )
    workspace: str | None = Field(
        default=None, description="Folder for artifacts, metadata and logs of local runs; default `runs/<name>`."
    )
    registry: str | None = Field(
        default=None, description="Model registry (local path, gs:// or s3://); default `<workspace>/registry`."
    )
    when_unchanged: Literal["run", "skip"] = Field(
        default="run",
        description="What a run does if the served version was made from the same data and configuration: `run` all "
        "steps (most of them cached), or `skip` them all.",
    )
    data: DataConfig = Field(
        description="Pairs of images and masks.",
        examples=["{source: {type: folders, root: data}, classes: [background, building]}"],
    )
    validation: ValidationConfig = Field(
        default=ValidationConfig(), description="Checks that data must pass before training."
    )
    transform: TransformConfig = Field(
        default=TransformConfig(), description="Preprocessing of images to the model's input."
    )
    trainer: TrainerConfig = Field(default=TrainerConfig(), description="Model and training.")
    tuner: TunerConfig | None = Field(
        default=None, description="Hyperparameter search before training; null: no search."
    )
    evaluator: EvaluatorConfig = Field(default=EvaluatorConfig(), description="Metrics, slices and blessing.")
    export: ExportConfig = Field(
        default=ExportConfig(), description="Formats of a version besides the SavedModel, and how far they may differ."
    )
    serving_check: ServingCheckConfig | None = Field(
        default=ServingCheckConfig(),
        description="Test of the exported model behind a server before it is pushed; null: no test.",
    )
    pusher: PusherConfig = Field(
        default=PusherConfig(), description="Whether a blessed model is served at once, or tried as a canary first."
    )
    batch_prediction: BatchPredictionConfig | None = Field(
        default=None,
        description="Prediction of many images with the served model at the end of a run; null: none.",
    )
    report: ReportConfig = Field(default=ReportConfig(), description="HTML report.")
    model_card: ModelCardConfig = Field(
        default=ModelCardConfig(), description="Texts of the model card that comes with each pushed version."
    )
    sinks: SinksConfig = Field(
        default=SinksConfig(), description="Where else a run's results go; the registry stays the truth."
    )
    beam: Beam = Field(
        default=LocalBeam(),
        description="Where the steps run that read all data (ingestion, statistics, Transform, evaluation); their "
        "results do not depend on it.",
    )
    kubeflow: KubeflowConfig = Field(default=KubeflowConfig(), description="The pipeline on a cluster.")

    @model_validator(mode="after")
    def _encoder_scales(self) -> RunConfig:
        """Sets `transform.normalize` to none by default if the model has an encoder, which scales images itself."""
        if self.trainer.model.encoder is None or "normalize" in self.transform.model_fields_set:
            return self
        return self.model_copy(update={"transform": self.transform.model_copy(update={"normalize": "none"})})

    @model_validator(mode="after")
    def _slides_over_crops(self) -> RunConfig:
        """Sets the sliding window, at the scale of the training's windows, if the model is trained on windows."""
        transform, inference = self.transform, self.trainer.inference
        if not transform.crops:
            return self
        wanted: dict[str, Any] = {"mode": "tile", "scale": transform.scale}
        for name, value in wanted.items():
            written = getattr(inference, name)
            if name in inference.model_fields_set and written != value:
                raise ValueError(
                    f"trainer.inference.{name} must be {value} with transform.mode crop, not {written}: the model is "
                    "served and evaluated at the scale of the windows that it was trained on; leave it out"
                )
        trainer = self.trainer.model_copy(update={"inference": inference.model_copy(update=wanted)})
        return self.model_copy(update={"trainer": trainer})

    @model_validator(mode="after")
    def _fits_together(self) -> RunConfig:
        self._check_size()
        check_batch_statistics(self.trainer, self.transform.height, self.transform.width)
        self._check_scaling()
        self._check_windows()
        self._check_values()
        self._check_folds()
        check_absent(self.validation, self.data.classes)
        check_band(self.trainer.inference, self.transform, len(self.data.classes), self.trainer.max_pixels)
        check_class_weights(self.trainer.class_weights, self.trainer.loss, self.data.classes)
        check_thresholds(self.evaluator, self.data.classes, self._slice_names())
        if self.tuner:
            check_search(self.tuner, self.trainer)
        return self

    def _check_size(self) -> None:
        height, width, model = self.transform.height, self.transform.width, self.trainer.model
        if height % model.size_divisor or width % model.size_divisor:
            raise ValueError(
                f"transform.height and width ({height}×{width}) must be divisible by {model.size_divisor}, "
                f"as trainer.model.type {model.type} halves them {model.num_downsamples} times"
            )
        least = 2**model.num_downsamples
        if min(height, width) < least:
            raise ValueError(
                f"transform.height and width ({height}×{width}) must be at least {least} with trainer.model.type "
                f"{model.type}"
            )
        if self.trainer.augmentation.quarter_turns and height != width and not self.transform.crops:
            raise ValueError(
                f"trainer.augmentation.quarter_turns needs transform.height = width, which are {height}×{width}"
            )

    def _check_scaling(self) -> None:
        encoder, normalize = self.trainer.model.encoder, self.transform.normalize
        if encoder and normalize not in ("none", "picture"):
            raise ValueError(
                f"transform.normalize must be none or picture, not {normalize}, with trainer.model.encoder: "
                f"{encoder.name} scales images itself, as in its own training; leave transform.normalize out"
            )

    def _check_windows(self) -> None:
        windows, augmentation = self.trainer.windows, self.trainer.augmentation
        if not self.transform.crops:
            if windows != WindowsConfig():
                raise ValueError("trainer.windows needs transform.mode crop; leave it out with mode resize")
            return
        for name in ("crop", "central_crop"):
            if getattr(augmentation, name):
                raise ValueError(
                    f"trainer.augmentation.{name} is for transform.mode resize; in mode crop, windows are cut anyway: "
                    "use trainer.windows.zoom"
                )
        names = self._slice_names()
        if windows.column is not None and names is not None and windows.column not in names:
            raise ValueError(
                f"trainer.windows.shares: {windows.column!r} is not a slicing column or bucket; there are: "
                + (", ".join(sorted(names)) or "none")
            )

    def _check_values(self) -> None:
        bands, values = self.data.bands, self.transform.values
        if bands is None and values != FullRange():
            raise ValueError("transform.values needs data.bands; 8-bit RGB is the model's input as it is")
        if bands is not None and bands.depth == "float32" and values == FullRange():
            raise ValueError(
                "transform.values must be of type fixed or percentile with data.bands.depth float32, which has no range"
            )

    def _check_folds(self) -> None:
        if self.data.split.folds is None:
            return
        if self.trainer.warm_start == BLESSED:
            raise ValueError(
                "trainer.warm_start must not be blessed with data.split.folds: the served model becomes an ensemble, "
                "from which no single network can start; write none, or the folder of a single model"
            )
        if self.evaluator.split != "test":
            raise ValueError(
                "evaluator.split must be test with data.split.folds: eval is fold 1, on which the other folds' models "
                "are trained"
            )

    def _slice_names(self) -> set[str] | None:
        """Names of the slices; `None` if only the data defines them."""
        source = self.data.source
        if isinstance(source, ManifestSource):
            return None if source.slice_columns is None else {*source.slice_columns, *self.data.buckets}
        return set(self.data.buckets)

    @property
    def workspace_dir(self) -> Path:
        """Workspace of local runs."""
        return Path(self.workspace or f"runs/{self.name}").absolute()

    @property
    def registry_uri(self) -> str:
        """URI of the registry; a local path is absolute."""
        registry = self.registry or str(self.workspace_dir / "registry")
        return registry if "://" in registry else str(Path(registry).absolute())

    @property
    def schema_file(self) -> Path:
        """Path of the curated schema: the configured one, or `schemas/<name>.pbtxt`."""
        return Path(self.validation.data_schema or f"schemas/{self.name}.pbtxt").absolute()


def load_config(path: str | Path, overrides: Sequence[str] = ()) -> RunConfig:
    """Reads a YAML file and applies overrides: `key.path=value`, the value being YAML too, or `@FILE`, a patch.

    Raises:
        UserError: the file cannot be read, is not a YAML mapping, or is invalid; the text names line, key and value.
    """
    try:
        document = read_document(Path(path))
    except Mistakes as mistakes:
        found = [(f"line {line}" if line else "", text) for line, text in mistakes.found]
        raise UserError(_format_mistakes(str(path), found)) from None
    return _made(document, overrides, str(path), RunConfig)


def make_config(raw: dict[str, Any], overrides: Sequence[str], source: str) -> RunConfig:
    """Builds the configuration from `raw` and overrides, `key.path=value` or `@FILE`.

    Raises:
        UserError: the configuration is invalid; the text starts with `source` and names the key and its allowed values.
    """
    return _made(Document(copy.deepcopy(raw)), overrides, source, RunConfig)


def make_settings(model: type[_Settings], overrides: Sequence[str]) -> _Settings:
    """Builds settings of another type than a run's from overrides alone, as `make_config` does.

    Raises:
        UserError: the settings are invalid.
    """
    return _made(Document({}), overrides, "--set", model)


def _made(document: Document, overrides: Sequence[str], source: str, model: type[_Settings]) -> _Settings:
    for override in overrides:
        (apply_patch if is_patch(override) else apply_override)(document, override, model)
    found = settle_empty_sections(document, model)
    try:
        config = model.model_validate(document.value)
    except ValidationError as error:
        found += mistakes_in(error, model, document.value, document.written)
    except UserError as error:
        found.append(Mistake((), shortened(str(error))))
    if found:
        raise UserError(_format_mistakes(source, [(_where(document, mistake), mistake.text) for mistake in found]))
    return config


def _where(document: Document, mistake: Mistake) -> str:
    """Returns the line of a mistake; if two sections contradict each other, that of the key at the message's start."""
    try:
        return document.where(mistake.loc or parse_place(mistake.text)[0])
    except ValueError:
        return ""


def _format_mistakes(source: str, found: Sequence[tuple[str, str]]) -> str:
    """Formats all mistakes with their locations: a single one in one line, several on a line each."""
    if len(found) == 1:
        where, text = found[0]
        return f"{source}, {where}: {text}" if where else f"{source}: {text}"
    lines = [f"  {where}: {text}" if where else f"  {text}" for where, text in found]
    return "\n".join([f"{source} has {len(found)} mistakes:", *lines])
