"""`segpipe predict-batch`: which model and which images are meant, and the run on Beam."""

from __future__ import annotations

import posixpath
import re
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import Field

from common.errors import UserError
from common.settings import Settings
from pipeline.beam.config import AnyBeam, Beam, LocalBeam

if TYPE_CHECKING:
    from components.batch_predictor.model_copy import ModelCopy
    from components.batch_predictor.origin import ModelFacts
    from components.batch_predictor.out_folder import OutFolder

LOG = "predict-batch.log"
_TABLES = (".csv", ".tsv", ".jsonl", ".ndjson")
_CONFIGURATIONS = (".yaml", ".yml")
_RECORDS = "tfrecord"
_WILD = re.compile(r"[*?\[]")


class BatchSettings(Settings):
    """Keys of `--set` for a model without a configuration."""

    beam: Beam = Field(default=LocalBeam(), description="Where the images are predicted.")


class OpenedModel(NamedTuple):
    """The model that MODEL names, how workers get it, and where Beam runs."""

    facts: ModelFacts
    provide: Callable[[OutFolder], AbstractContextManager[ModelCopy]]
    beam: AnyBeam
    config: Mapping[str, Any] | None
    """The configuration that it was trained with; `None` of a SavedModel, which does not hold it."""


class SourceOptions(NamedTuple):
    """Options that say what a source's paths mean."""

    globs: Sequence[str]
    column: str
    root: str | None


def open_model(model: str, version: int | None, overrides: Sequence[str]) -> OpenedModel:
    """Returns the model that the argument MODEL names: a configuration, a registry, or the folder of a SavedModel.

    Raises:
        UserError: there is no such model, or an override is not valid.
    """
    from components.batch_predictor.model_copy import (
        ModelCopy,
        facts_of_saved_model,
        facts_of_version,
        fetched,
        is_saved_model,
        served_version,
    )
    from pipeline.cli.options import registry_uri
    from pipeline.config.run_config import load_config, make_settings
    from registry.errors import NoRegistryError
    from registry.store import Registry

    if model.endswith(_CONFIGURATIONS):
        config = load_config(model, overrides)
        beam, uri = config.beam, config.registry_uri
    else:
        beam, uri = make_settings(BatchSettings, overrides).beam, model
        folder = Path(model).absolute()
        if "://" not in model and is_saved_model(folder):
            if version is not None:
                raise UserError(f"{model} is a SavedModel, which has no versions: leave --version out")
            facts = facts_of_saved_model(folder)
            return OpenedModel(facts, lambda _: nullcontext(ModelCopy(str(folder), facts)), beam, None)
    try:
        registry = Registry(registry_uri(uri))
    except NoRegistryError as error:
        raise UserError(
            f"MODEL {model} is not a configuration (.yaml), a registry, or the folder of a SavedModel: {error}"
        ) from None
    manifest = served_version(registry, version)
    facts = facts_of_version(manifest)
    return OpenedModel(facts, lambda out: fetched(registry, manifest, out), beam, manifest.config)


def batch_source(source: str, options: SourceOptions) -> dict[str, Any]:
    """Returns the section of the configuration that the argument SOURCE means: a table, record files, or a folder.

    Raises:
        UserError: it does not exist, or an option does not fit it.
    """
    is_remote = "://" in source
    if source.lower().endswith(_TABLES) and (is_remote or Path(source).is_file()):
        if options.globs:
            raise UserError("--images is for a folder; a table names the images itself: leave it out")
        return _table_source(source, options)
    if options.root:
        raise UserError("--root is for a table of paths (.csv, .tsv, .jsonl), and SOURCE is none: leave it out")
    if not is_remote and not Path(source).exists() and not _WILD.search(source):
        raise UserError(f"source not found: {source}")
    if Path(source).is_file():
        _check_image_or_records(source)
    if is_remote or Path(source).is_dir():
        root, globs = source, tuple(options.globs)
    else:
        root, globs = _split(source)
    holds_records = _RECORDS in posixpath.basename(source) or (not globs and _holds_records(root))
    if holds_records or any(_RECORDS in glob for glob in globs):
        return {"type": "records", "root": root, **({"files": globs} if globs else {})}
    return {"type": "images", "root": root, **({"images": globs} if globs else {})}


def predict_into(model: OpenedModel, config: Mapping[str, Any], overwrite: bool) -> int:
    """Predicts the images, shows the progress, and returns the number of rejected ones.

    Args:
        model: As `open_model` returns it.
        config: The section `batch_prediction` of a configuration.
        overwrite: Whether earlier predictions are removed first.

    Raises:
        UserError: see `components.batch_predictor.run.predict_all`.
    """
    from components.batch_predictor.config import BatchPredictionConfig
    from pipeline.beam.check import check_engine
    from pipeline.beam.engine import beam_engine
    from pipeline.cli.console import StepWatcher, quiet_streams

    settings = BatchPredictionConfig.model_validate(config).with_absolute_paths()
    with quiet_streams(_log_file(settings.out)) as console:
        check_engine(model.beam)
        watcher = StepWatcher(console, str)
        with watcher.watching(), beam_engine(model.beam) as arguments, watcher.step("predict", lambda _: False):
            counts = _run(model, settings, arguments, overwrite)
        console.print(f"masks and index are in {settings.out}", markup=False, soft_wrap=True)
    return counts.rejected


def _run(model: OpenedModel, settings: Any, arguments: Sequence[str], overwrite: bool) -> Any:
    import apache_beam as beam
    from apache_beam.options.pipeline_options import PipelineOptions

    from common.beam_inspection import remember_inspections
    from common.start_up import collect_as_usual
    from components.batch_predictor.run import predict_all
    from pipeline.beam.check import check_options

    collect_as_usual()
    remember_inspections()
    check_options(model.beam)
    return predict_all(
        settings,
        model.facts,
        model.provide,
        lambda: beam.Pipeline(options=PipelineOptions(list(arguments))),
        overwrite,
    )


def _table_source(source: str, options: SourceOptions) -> dict[str, Any]:
    folder, name = posixpath.split(source)
    root = options.root or folder or "."
    section = {"type": "manifest", "root": root, "file": name, "column": options.column}
    if options.root:
        section["file"] = source if "://" in source else str(Path(source).absolute())
    return section


def _check_image_or_records(source: str) -> None:
    from components.batch_predictor.image_names import is_image

    if _RECORDS not in posixpath.basename(source) and not is_image(source):
        raise UserError(
            f"SOURCE {source} is neither a folder, an image, a table of paths ({', '.join(_TABLES)}) nor a record file "
            f"(with {_RECORDS!r} in its name)"
        )


def _split(source: str) -> tuple[str, tuple[str, ...]]:
    """Splits a path with wildcards, or of a file, into a root and a glob."""
    parts = source.split("/")
    place = next((index for index, part in enumerate(parts) if _WILD.search(part)), len(parts) - 1)
    return "/".join(parts[:place]) or ("/" if source.startswith("/") else "."), ("/".join(parts[place:]),)


def _holds_records(root: str) -> bool:
    """Whether a local folder has record files directly in it, as the folder of a split has."""
    return "://" not in root and any(_RECORDS in path.name for path in Path(root).iterdir())


def _log_file(out: str) -> Path:
    """Returns the log: in the output folder, or in a temporary folder if that is in a bucket."""
    return Path(tempfile.gettempdir(), LOG) if "://" in out else Path(out, LOG)
