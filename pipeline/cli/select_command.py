"""CLI command that chooses images to label: `select`."""

from __future__ import annotations

from pathlib import Path

import click

from common.errors import UserError
from pipeline.cli.options import column_option, handle_errors, images_option, root_option
from pipeline.cli.output_file import check_all_writable

TASKS = ("label-studio", "cvat")
_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command("select")
@click.argument("model")
@click.argument("source")
@click.option("-o", "--out", type=_FILE, required=True, help="Table to write: .parquet or .jsonl.")
@click.option("--number", type=click.IntRange(min=1), default=50, show_default=True, help="Images to choose.")
@click.option("--version", type=int, help="Version of the registry.  [default: the served one]")
@click.option(
    "--other",
    metavar="MODEL_OR_VERSION",
    help="Another model, or a version of MODEL's registry: images on which the masks differ are preferred.",
)
@images_option
@column_option
@root_option
@click.option(
    "--tasks",
    type=click.Choice(TASKS),
    help="Also write tasks with the model's masks as pre-annotations, beside the table.",
)
@click.option(
    "--address",
    metavar="PREFIX",
    help="What precedes an image's path in the tasks of Label Studio.  [default: /data/local-files/?d=]",
)
@click.option("--sheet", type=_FILE, help="Also write an HTML page with thumbnails.")
@handle_errors
def select(
    model: str,
    source: str,
    out: Path,
    number: int,
    version: int | None,
    other: str | None,
    globs: tuple[str, ...],
    column: str,
    root: str | None,
    tasks: str | None,
    address: str | None,
    sheet: Path | None,
) -> None:
    """Choose the images of SOURCE that are worth labelling: MODEL is uncertain about them, and they differ.

    MODEL and SOURCE are those of `predict-batch`; SOURCE may also be the folder of a request log with kept images.  Of
    the most uncertain images, ten times as many as are chosen, each next one is that which differs most from all chosen
    before it.  Near duplicates are left out.  Nothing is random: the same images and model give the same choice.

    \b
    Example:
      segpipe select pipeline/configs/sample.yaml build/sample-data/images --out build/next.jsonl --number 10
      segpipe select runs/sample/registry photos --other 1 --out build/next.parquet --tasks label-studio
    """
    from pipeline.labelling.row_files import check_suffix

    check_suffix(out)
    if address is not None and tasks != "label-studio":
        raise UserError("--address is for --tasks label-studio; leave it out")
    check_all_writable({"--out": out, "--sheet": sheet}, source)

    from pipeline.cli.predict_batch import SourceOptions
    from pipeline.cli.select import SelectOptions, open_models, select_images

    options = SelectOptions(number, out, tasks, address, sheet)
    select_images(open_models(model, version, other), source, SourceOptions(globs, column, root), options)
