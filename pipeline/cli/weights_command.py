"""CLI command that converts published weights: `convert-weights`."""

from __future__ import annotations

import os
from pathlib import Path

import click

from common.compatibility import import_tensorflow
from common.errors import UserError
from components.trainer.encoder_specs import ENCODERS
from pipeline.cli.options import handle_errors
from pipeline.cli.output_file import check_writable, staged_file

_CONVERTIBLE = sorted(name for name, spec in ENCODERS.items() if spec.weights is None)
_PATH = click.Path(path_type=Path, dir_okay=False)
_SUFFIXES = (".h5", ".hdf5")


@click.command("convert-weights")
@click.argument("encoder", type=click.Choice(_CONVERTIBLE))
@click.argument("source", type=_PATH)
@click.option("-o", "--out", type=_PATH, help="The .h5 file to write.  [default: ENCODER.h5]")
@handle_errors
def convert_weights(encoder: str, source: Path, out: Path | None) -> None:
    """Convert published weights of ENCODER in SOURCE (.safetensors) into an .h5 file for `encoder.weights`.

    SOURCE is a file of Hugging Face's transformers.  Nothing in it is executed; pickles of PyTorch are refused.

    \b
    Example:
      segpipe convert-weights mit_b0 model.safetensors --out mit_b0.h5
    """
    path = out or Path(f"{encoder}.h5")
    if path.suffix not in _SUFFIXES:
        raise UserError(f"{path} does not end in .h5; name another file with --out")
    check_writable(path)

    from components.trainer.safetensors_file import read_safetensors

    arrays = read_safetensors(source)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import_tensorflow()
    from components.trainer.models.weights_conversion import convert_weights as convert

    with staged_file(path) as staged:
        count = convert(encoder, arrays, str(source), staged)
    click.echo(f"{path} is written: {count:,} weights of {encoder}; name it in trainer.model.encoder.weights")
