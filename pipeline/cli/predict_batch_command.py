"""CLI command `predict-batch`."""

from __future__ import annotations

import sys

import click

from common.plurals import counted
from pipeline.cli.number_types import FiniteRange
from pipeline.cli.options import column_option, handle_errors_and_resume, images_option, root_option, set_option

REJECTED = 3
"""Exit status if all images were tried and some were rejected."""


@click.command("predict-batch")
@click.argument("model")
@click.argument("source")
@click.option("--out", required=True, metavar="FOLDER", help="Folder for masks and index; local, gs:// or s3://.")
@click.option("--version", type=int, help="Version of the registry.  [default: the served one]")
@images_option
@column_option
@root_option
@click.option(
    "--max-rejected",
    type=FiniteRange(0, 1),
    default=0.5,
    show_default=True,
    help="Stop if a larger share of the images is rejected.",
)
@click.option(
    "--batch", "batch_size", type=click.IntRange(1, 1024), default=8, show_default=True, help="Images a batch."
)
@click.option("--overwrite", is_flag=True, help="Remove what FOLDER has of earlier batch predictions first.")
@set_option
@handle_errors_and_resume
def predict_batch(
    model: str,
    source: str,
    out: str,
    version: int | None,
    globs: tuple[str, ...],
    column: str,
    root: str | None,
    max_rejected: float,
    batch_size: int,
    overwrite: bool,
    overrides: tuple[str, ...],
) -> None:
    """Segment the images of SOURCE with MODEL, as many as they are, into a folder of masks with an index.

    MODEL is a run's configuration (its served version), a registry, or the folder of a SavedModel.  SOURCE is a folder,
    a table with a column of paths (.csv, .tsv, .jsonl), or record files of ingestion.  What FOLDER has already is not
    predicted again, so the same command goes on after an interruption, and adds new images.  Rejected images are listed
    in rejected.jsonl, and the exit status is 3.  `--set beam.workers=all` uses all cores, `--set beam.runner=flink` an
    engine.

    \b
    Example:
      segpipe predict-batch pipeline/configs/sample.yaml build/sample-data/images --out build/masks
      segpipe predict-batch s3://team/nuclei new.csv --root data --out s3://team/masks --set beam.workers=all
    """
    from pipeline.cli.predict_batch import SourceOptions, batch_source, open_model, predict_into

    opened = open_model(model, version, overrides)
    config = {
        "source": batch_source(source, SourceOptions(globs, column, root)),
        "out": out,
        "max_rejected": max_rejected,
        "batch_size": batch_size,
    }
    rejected = predict_into(opened, config, overwrite)
    if rejected:
        click.echo(
            f"{counted(rejected, 'image is', 'images are')} rejected; {out.rstrip('/')}/rejected.jsonl says why",
            err=True,
        )
        sys.exit(REJECTED)
