"""The curated schema's file: read for a run, and inferred from the data if it does not exist yet."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from common import progress, records
from common.errors import UserError
from pipeline.config.run_config import RunConfig

if TYPE_CHECKING:
    from components.data_gate.result import Finding
    from components.example_gen.quarantine import IngestionSummary

_FOLD_FEATURE = """
feature {{
  name: "{name}"
  type: INT
  presence {{ min_fraction: 1 min_count: 1 }}
  shape {{}}
  int_domain {{ min: 0 max: {folds} }}
}}
"""


def read_schema(path: Path) -> str:
    """Returns the text of the schema at `path`, after validating it.

    Raises:
        UserError: the file does not exist, or cannot be read.
    """
    from components.schema_importer.parsing import parse_schema

    try:
        text = path.read_text(encoding="utf-8")
        parse_schema(text)
    except FileNotFoundError:
        raise UserError(
            f"the curated schema {path} does not exist; write a first one with "
            "`segpipe schema infer` and the same configuration, read it, and correct it"
        ) from None
    except OSError as error:
        raise UserError(f"the curated schema {path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UserError(f"the curated schema {path} is not a text file in UTF-8") from None
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    return text


def with_folds(schema: str, folds: int | None) -> str:
    """Returns the schema's text with the feature that records have only with `data.split.folds`."""
    if not folds:
        return schema
    return schema + _FOLD_FEATURE.format(name=records.FOLD, folds=folds)


def provide_schema(config: RunConfig) -> None:
    """Infers a first schema from the data if the configuration names a file that does not exist yet.

    This reads all images once more than the pipeline's ingestion does, in the first run only.

    Raises:
        UserError: the data gate would refuse the data, see `write_first_schema`.
    """
    if config.schema_file.exists():
        return
    from components.example_gen.check import survey

    progress.update("no schema yet: listing the pairs")
    summary, _ = survey(
        config.data,
        config.seed,
        lambda done, total: progress.update(f"no schema yet: read {done} of {total} pairs to infer one"),
    )
    write_first_schema(config, summary)
    progress.report(written(config.schema_file))


def write_first_schema(config: RunConfig, summary: IngestionSummary, overwrite: bool = False) -> None:
    """Writes a schema inferred from the data that `summary` describes.

    Raises:
        UserError: the data gate would refuse the data by this summary alone, so its faults would become part of the
            schema; a schema exists and `overwrite` is not set; or the file cannot be written.
    """
    from components.data_gate.checks import check_ingestion
    from components.data_gate.infer import infer_schema, write_schema

    failures = [finding for finding in check_ingestion(summary, config.validation) if not finding.passed]
    if failures:
        raise _refused(config, failures)
    schema = infer_schema(config.data.classes, summary.slices, config.data.bands is not None)
    write_schema(schema, config.schema_file, overwrite)


def written(path: Path) -> str:
    """Returns the message about a new schema."""
    return f"wrote {path} from this data: read it, correct it, and keep it with your code"


def _refused(config: RunConfig, failures: Sequence[Finding]) -> UserError:
    from components.data_gate.result import told

    return UserError(
        f"no schema was written to {config.schema_file}, because the data gate would refuse this data, {told(failures)}"
    )
