"""CLI command that gets a version's model in another format: `export`."""

from __future__ import annotations

from pathlib import Path

import click

from pipeline.cli.number_types import FiniteRange
from pipeline.cli.options import handle_errors
from pipeline.cli.output_file import check_writable

FORMATS = ("onnx", "tflite", "tflite_int8")
"""Names in the table of formats; importing it here would make `segpipe --help` slow."""


@click.command("export")
@click.argument("model")
@click.option("--version", type=click.IntRange(min=1), help="Version of the registry.  [default: the served one]")
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMATS),
    required=True,
    help="Format of the file.",
)
@click.option("-o", "--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="File to write.")
@click.option(
    "--images",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="IMAGES",
    help="Image, or folder of images, if the version does not hold the format: the conversion is compared with the "
    "SavedModel on them, and tflite_int8 takes its ranges from them; may be repeated.",
)
@click.option(
    "--at-least",
    type=FiniteRange(0, 1),
    help="Share of each image's pixels that must get the SavedModel's class.  [default: 0.999, of tflite_int8 0.95]",
)
@handle_errors
def export(
    model: str, version: int | None, form: str, out: Path, images: tuple[Path, ...], at_least: float | None
) -> None:
    """Write a version of MODEL as a file for ONNX Runtime or TensorFlow Lite.

    MODEL is a run's configuration, or a registry.  A format that the run exported (`export.formats`) is copied, checked
    by its hash; else the SavedModel is converted and compared on IMAGES, and the registry is not changed.

    \b
    Example:
      segpipe export pipeline/configs/sample.yaml --format onnx --out sample.onnx --images build/sample-data/images
    """
    check_writable(out)
    from pipeline.cli.export import export_version

    click.echo(export_version(model, version, form, out, images, at_least))
